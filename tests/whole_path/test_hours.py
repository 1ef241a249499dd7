"""Hours, do-not-call and budgets by command: nobody is called who must not be, and the run says why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import anyio
import httpx
import pytest

from dialer.attempts.breaker import Breaker
from dialer.attempts.dialing import Dialing
from dialer.attempts.lane import Lane
from dialer.base.clock import SystemClock
from dialer.calls.allowed import Allowed, anytime
from dialer.providers.provider import Accepted, Submission
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.server import simulator_process
from dialer.store.database import Store
from tests.attempts.test_lane import FreePace, Scripted
from tests.calls.spring import rows
from tests.deployment import TOKEN, Deployment
from tests.seed import desk, seed_campaign


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with simulator_process(SimulatorConfig(tokens=(TOKEN,), time_scale=10_000.0)) as url:
        yield url


def placed(provider: str) -> int:
    summary = httpx.get(f"{provider}/simulator/summary", trust_env=False).json()
    return int(summary["calls_placed"])


def test_closed_hours_suppressed_numbers_and_a_used_up_budget(
    tmp_path: Path, sqlite_url: str, provider: str
) -> None:
    spring = Deployment(tmp_path, sqlite_url, provider).write(6)
    file = tmp_path / "campaigns" / "spring" / "campaign.toml"
    plain = file.read_text()
    hour = (datetime.now(ZoneInfo("America/New_York")).hour + 6) % 24
    file.write_text(f'{plain}start = "{hour:02d}:00"\nend = "{hour:02d}:30"\n')
    closed = spring.dialer("run", "spring")
    assert closed.returncode == 0
    assert "0 submitted" in closed.stdout
    assert "; the next call may be placed at 20" in closed.stdout
    assert placed(provider) == 0

    assert spring.dialer("suppress", "add", "+12125500000").returncode == 0
    file.write_text(f"{plain}[caps]\ncalls_total = 3\n")
    spent = spring.dialer("run", "spring")
    assert spent.returncode == 0
    assert spent.stdout.rstrip().endswith("ended: the budget is used up")
    assert placed(provider) == 3
    store = Store(sqlite_url)
    assert rows(store, "SELECT status, reason FROM contacts WHERE phone = '+12125500000'") == [
        ("suppressed", "do_not_call")
    ]
    assert rows(store, "SELECT started_by, ended, exit_code FROM campaign_runs ORDER BY run_id") == [
        ("dialer run", "nothing is left to do now", 0),
        ("dialer run", "the budget is used up", 0),
    ]
    store.close()


class Movable(SystemClock):
    """The machine's clock, which a test can put forward."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s

    def now_us(self) -> int:
        return super().now_us() + round(self.ahead_s * 1e6)


class ClosesSoon(Allowed):
    """Open for the next minute."""

    def until_us(self, group_id: int, now_us: int) -> int:
        return now_us + 60_000_000


@pytest.mark.anyio
async def test_a_window_that_closes_while_a_request_connects_lets_nothing_leave(sqlite_url: str) -> None:
    clock = Movable()
    store = Store(sqlite_url, clock)
    campaign_id = seed_campaign(store, contacts=1)
    left: list[str] = []

    def connect_slowly(number: int, submission: Submission) -> Accepted:
        clock.ahead_s += 120
        assert submission.departing is not None
        submission.departing()
        left.append(submission.attempt_id)
        return Accepted("x", 200)

    free = anytime()
    allowed = ClosesSoon(free.windows, free.groups)
    breaker = Breaker(0.5, 1)
    dialing = Dialing(campaign_id, "spring", "962", {}, breaker, allowed=allowed)
    lane = Lane(
        desk(store, "w"),
        Scripted(connect_slowly),  # type: ignore[arg-type]
        FreePace(),
        [dialing],
        clock=clock,
        requests_in_flight_max=1,
        pace_limit=None,
        drain_s=5.0,
        lease_until=lambda: float("inf"),
        database=anyio.CapacityLimiter(1),
        random=Random(1),
    )
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lane.run)
            while not rows(store, "SELECT 1 FROM ledger WHERE state = 'not_dialled'"):
                await anyio.sleep(0.01)
            lane.stop()
    assert left == []
    assert set(rows(store, "SELECT state, error_code FROM ledger")) == {("not_dialled", "window_closed")}
    assert dialing.stopped is None  # it is no failure of the campaign
    store.close()
