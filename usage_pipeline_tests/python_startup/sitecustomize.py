"""Read by every Python that a test starts: garbage in cycles is looked for seldom, and not once more at the end."""

import atexit
import gc

gc.set_threshold(500_000, 20, 20)
atexit.register(gc.freeze)
