"""Texts that people type and that describe no sound: made from lists of words."""

from __future__ import annotations

from itertools import product

_THINGS = """
annual budget;bank statement;contract;dentist appointment;email signature;mortgage rate;pension plan;visa application
tax return;job application;meeting agenda;balance sheet;business card;board resolution;insurance policy;lease agreement
curriculum vitae;discount coupon;shopping list;train ticket price;opening hours;postal code;user account;privacy policy
software licence;web browser;hard disk;database index;source code;spreadsheet column;machine learning model;screenshot
prime number;right triangle;quadratic equation;logarithm;statistical significance;vector space;chemical formula;enzyme
black hole;tectonic plate;photosynthesis;gene sequence;periodic table;cholesterol level;blood type;allergy;vaccine
monarchy;constitution;parliament;supreme court;trade agreement;foreign policy;election result;human rights;citizenship
Gothic cathedral;oil painting;watercolour;marble statue;modernist architecture;museum catalogue;typography;logo design
short story;sonnet;biography;footnote;adverb;spelling rule;philosophy lecture;moral dilemma;free will;irony;nostalgia
justice;democracy;ambition;patience;honesty;jealousy;wisdom;loneliness in old age;childhood memory;dream interpretation
chocolate cake;olive oil;vegetarian recipe;wine list;vanilla flavour;sourdough starter;protein content;breakfast menu
silk dress;leather sofa;wallpaper pattern;hair colour;winter fashion;wedding ring;perfume bottle;lipstick shade;tattoo
capital city;river delta on a map;time zone;tourist visa;mountain altitude;national flag;population density;tax haven
historical novel;ancient empire;medieval manuscript;royal dynasty;peace treaty;archaeological find;birth certificate
shape of a leaf;purple;turquoise;dark green;bright orange;the number seven;a blank page;a still photograph;an empty box
weekday;next month;leap year;calendar entry;birthday date;retirement age;school grade;university degree;exam result
""".replace("\n", ";")
_FRAMES = (
    "{}",
    "the {}",
    "my {}",
    "how to choose a {}",
    "the meaning of {}",
    "a picture of {}",
    "a short text about {}",
    "what is the price of {}",
    "the history of {}",
    "{} explained for beginners",
)


def unheard_texts() -> list[str]:
    """All of them, always the same."""
    things = [thing.strip() for thing in _THINGS.split(";") if thing.strip()]
    return [frame.format(thing) for thing, frame in product(things, _FRAMES)]
