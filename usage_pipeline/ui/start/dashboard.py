"""What Streamlit runs at every look: the dashboard with the options of the command line. Not here: the dashboard."""

import gc
import sys

from usage_pipeline.ui.app import main
from usage_pipeline.ui.options import from_arguments

if not gc.get_freeze_count():
    # Streamlit searches for garbage after each look; through all that is imported that takes longer than many a look.
    gc.freeze()

main(from_arguments(sys.argv[1:]))
