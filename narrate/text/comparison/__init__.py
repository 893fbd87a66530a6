"""Is what was heard what is written? Two texts compared by how they sound, one of them from a recogniser of speech.

compare.py    the edits between two texts
faults.py     which edits make a take bad
habits.py     what a recogniser hears otherwise again and again
units.py      a text as the sounds that are compared: kana, syllables or words
japanese.py   kana, from two dictionaries
chinese.py    syllables in pinyin
words.py      words of all other languages, with numbers spelled out
"""
