"""Move the clock of a process that the tests start, by `DAYS_AHEAD` days.

Python imports this module at its start when its folder is in `PYTHONPATH` (tests/conftest.py puts
it there). `faketime` cannot do it: its library (0.9.10) moves the monotonic clock too, but not the
waits of `sem_clockwait`, so that `threading.Event.wait(1)` never ends.
"""

import os
from datetime import UTC, datetime, timedelta

import time_machine

ahead = timedelta(days=int(os.environ["DAYS_AHEAD"]))
time_machine.travel(datetime.now(UTC) + ahead, tick=True).start()
