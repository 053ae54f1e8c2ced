"""What Streamlit runs at every look: the dashboard with the options of the command line. Not here: the dashboard."""

import sys

from usage_pipeline.ui.app import main
from usage_pipeline.ui.options import from_arguments

main(from_arguments(sys.argv[1:]))
