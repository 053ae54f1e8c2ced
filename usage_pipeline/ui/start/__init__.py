"""The script that Streamlit runs, alone in its folder: Streamlit would take a folder `pages` beside it for its own."""
