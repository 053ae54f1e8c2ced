"""Read by every Python that a test starts, and by tests: none of them searches for garbage in cycles.

That takes a tenth of the time of tests in Python, and a third of the time in which a server starts. A process of tests
is then larger by less than half a gigabyte when it ends.
"""

import atexit
import gc

gc.disable()
# When the interpreter ends it searches all the same, but not what is frozen.
atexit.register(gc.freeze)
