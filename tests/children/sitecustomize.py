"""Prepare a Python process that the tests start: its clock, and what it logs.

Python imports this module at its start when its folder is in `PYTHONPATH` (tests/conftest.py puts
it there). With `DAYS_AHEAD` the clock is moved ahead by so many days. `faketime` cannot do it: its
library (0.9.10) moves the monotonic clock too, but not the waits of `sem_clockwait`, so that
`threading.Event.wait(1)` never ends. With `CLOCK_FILE` it is moved by the seconds that stand in
that file, whenever they change. With `LOG_GUARD`, a folder, every line that the program's own
loggers say is written there, in both formats, for tests/log_guard.py.
"""

import logging
import os

if "DAYS_AHEAD" in os.environ:
    from datetime import UTC, datetime, timedelta

    import time_machine

    ahead = timedelta(days=int(os.environ["DAYS_AHEAD"]))
    time_machine.travel(datetime.now(UTC) + ahead, tick=True).start()

if "CLOCK_FILE" in os.environ:
    import threading
    import time
    from datetime import UTC, datetime, timedelta
    from pathlib import Path

    import time_machine

    def follow(file: Path) -> None:
        """Move the clock by what stands in `file`."""
        moved = None
        offset = "0"
        while True:
            time.sleep(0.2)
            if (new := file.read_text()) != offset:
                if moved is not None:
                    moved.stop()
                offset = new
                destination = datetime.now(UTC) + timedelta(seconds=float(offset))
                moved = time_machine.travel(destination, tick=True)
                moved.start()

    threading.Thread(target=follow, args=[Path(os.environ["CLOCK_FILE"])], daemon=True).start()


class LinesForTheGuard(logging.Handler):
    """Writes each record to a file of its process, as operators would see it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; the guard's folder may be gone when a process outlives its tests."""
        from newsletter.logs import JsonFormatter, TextFormatter

        lines = "".join(
            f"{formatter.format(record)}\n" for formatter in (TextFormatter(), JsonFormatter())
        )
        try:
            path = f"{os.environ['LOG_GUARD']}/{os.getpid()}.log"
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError:
            return
        try:
            os.write(file, lines.encode("utf-8", "backslashreplace"))
        except OSError:
            return
        finally:
            os.close(file)


if "LOG_GUARD" in os.environ:
    logging.getLogger("newsletter").addHandler(LinesForTheGuard())
