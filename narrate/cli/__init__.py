"""The `narrate` command.

main.py        commands, errors and exit codes
arguments.py   what each argument is called
listing.py     what is printed: chunks, chapters, voices, devices, books, the store
doctor.py      what this machine can do
"""
