"""For `make test-clock` only: lets `time.sleep` work under libfaketime.

libfaketime 0.9.10 shifts the moment until which `time.sleep` sleeps even where it leaves the
monotonic clock alone, and the call fails; waiting for an event goes another way. If it shifted the
monotonic clock too, waiting for events would never end.
"""

import threading
import time

time.sleep = lambda seconds: threading.Event().wait(seconds) and None
