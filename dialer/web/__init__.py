"""What dialer serves: the receiver of webhooks."""
