"""Words of captions that may stand for each other, in the same form: made by hand for everyday sounds."""

from __future__ import annotations

from collections.abc import Mapping

_SETS = """
loud noisy booming;quiet soft faint;loudly noisily;quietly softly faintly;sound noise;sounds noises
sharp piercing shrill;deep low;dull muffled;big large;small little;quick fast rapid;quickly rapidly;slow unhurried
brief short;long sustained;repeatedly continually;continuous constant steady;suddenly abruptly;distant faraway
man male;woman lady;child kid;children kids;baby infant;person someone;people persons;crowd audience
talking speaking;talks speaks;shouting yelling;shouts yells;screaming shrieking;screams shrieks;crying sobbing weeping
cries sobs weeps;laughing chuckling giggling;laughs chuckles giggles;humming crooning;applause clapping
dog hound;puppy pup;barking woofing;barks woofs;cat feline;meowing mewing;meows mews;bird songbird;birds songbirds
chirping tweeting;chirps tweets;horse pony;cow bull;sheep lamb;insect bug;insects bugs;growling snarling;growls snarls
car automobile;vehicle automobile;truck lorry;motorbike motorcycle;engine motor;plane airplane aircraft;train railway
driving riding;revving accelerating;honking beeping tooting;honks beeps toots;siren alarm;idling running
rain drizzle;raining drizzling;wind breeze;thunder thunderclap;stream brook creek;sea ocean;water liquid
flowing streaming;flows streams;pouring streaming;pours streams;dripping trickling;drips trickles;splashing sloshing
splashes sloshes;bubbling gurgling;bubbles gurgles
hitting striking;hits strikes;banging pounding;bangs pounds;knocking rapping;knocks raps;tapping patting;taps pats
clicking ticking;clicks ticks;clattering rattling;clatters rattles;scraping scratching;scrapes scratches
rustling crackling;rustles crackles;crushing crunching;breaking shattering smashing;breaks shatters smashes
closing shutting;closes shuts;slamming banging;slams bangs;creaking squeaking;creaks squeaks;door gate
buzzing droning;buzzes drones;hissing fizzing;hisses fizzes;whirring spinning;roaring rumbling;roars rumbles
ringing chiming;rings chimes;bell chime;gun firearm;gunshot shot;gunshots shots;shooting firing;shoots fires
explosion blast;explodes detonates;walking strolling;walks strolls;running jogging;footsteps steps;room chamber
street road;forest woods;machine device;tool implement;wooden timber;metallic metal
"""


def _table() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for entry in _SETS.replace("\n", ";").split(";"):
        words = entry.split()
        for word in words:
            others = [*found.get(word, ()), *(other for other in words if other != word)]
            found[word] = tuple(dict.fromkeys(others))
    return found


SYNONYMS: Mapping[str, tuple[str, ...]] = _table()
"""For each word the others of its sets."""
