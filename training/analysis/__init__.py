"""How the captions of data sets differ in their language."""
