"""What a campaign says: `campaign.toml` becomes a `Campaign`, and its JSON Schema."""

from dialer.campaign.campaign import Campaign as Campaign
from dialer.campaign.read import known_campaigns as known_campaigns
from dialer.campaign.read import read_campaign as read_campaign
from dialer.campaign.values import LINE_TYPES as LINE_TYPES
