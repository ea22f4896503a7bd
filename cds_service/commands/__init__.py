"""In: arguments of the command line. Out: text for a terminal, or JSON. Nothing clinical is decided here."""
