"""The `narrate` command.

main.py                     words in, one call, messages and exit code out
commands.py command.py      all commands; what a command is, and how words become its values
read.py sample.py chunks.py voices.py devices.py books.py store.py check.py review.py inspect.py config.py
serve.py bench.py setup.py doctor.py completions.py help.py
                            one command each; read.py needs no name
listener.py findings.py     what the system knows of the listener; all that can be told of this machine
preferences.py              what narrate setup keeps: a voice and a sound device
shelf.py                    the last book, a book of the list by its number, forgetting one
manual.py settings_table.py the manual page and a table of all settings, from the same lines as the help
listing.py                  what is printed: chunks, chapters, voices, devices, books, the store
"""
