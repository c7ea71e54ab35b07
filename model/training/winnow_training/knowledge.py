"""What products hold and what constraints forbid, in letters: which (theme, title) pairs break a theme by rule.

data/ontology.txt lists kinds of products, data/knowledge.txt titles as catalogues word them, data/themes.txt themes by the
constraint that they carry. All are written from common knowledge, in the letters of HOLDS.
"""

from dataclasses import dataclass
from pathlib import Path

from winnow_training.pairs import DATA

HOLDS = {
    "D": "dairy",
    "L": "lactose",
    "E": "egg",
    "M": "meat or poultry",
    "P": "pork",
    "B": "beef",
    "J": "gelatin, lard, rennet or another product of slaughter",
    "F": "fish",
    "S": "shellfish",
    "Z": "honey",
    "G": "gluten",
    "N": "tree nut",
    "U": "peanut",
    "Y": "soy",
    "Q": "sesame",
    "H": "added sugar",
    "C": "carbohydrates",
    "K": "caffeine",
    "A": "alcohol",
    "O": "onion, garlic, wheat, beans: high FODMAP",
    "R": "risky in pregnancy",
    "V": "not before a first birthday",
    "T": "choking hazard",
    "X": "poisonous to dogs",
    "I": "inedible",
    "W": "fragrance",
    "t": "tobacco",
    "w": "cannabis",
    "a": "artificial dye or sweetener",
    "c": "caustic",
}
# Capitals that the ontology uses for something else.
ONTOLOGY = {"B": "V", "V": "W"}
ALWAYS_SMALL = "twac"  # small letters with a meaning of their own, whatever the capital means: held, never perhaps

# What breaks a constraint nine times in ten. Where the kind of product alone can't tell (unmarked meat under halal), the
# rule is silent: see SILENT.
FORBIDS = {
    "vegan": "DLEMPBJFSZ",
    "raw-vegan": "DLEMPBJFSZ",
    "vegetarian": "MPBJFS",
    "pescatarian": "MPBJ",
    "no-pork": "P",
    "no-beef": "B",
    "no-red-meat": "PB",
    "halal": "PA",
    "kosher": "PS",
    "passover": "GPS",
    "jain": "MPBJFSEZ",
    "hindu-vegetarian": "MPBJFSE",
    "dairy-free": "DL",
    "lactose-free": "L",
    "egg-free": "E",
    "gluten-free": "G",
    "nut-free": "NU",
    "tree-nut-free": "N",
    "peanut-free": "U",
    "soy-free": "Y",
    "sesame-free": "Q",
    "fish-free": "F",
    "shellfish-free": "S",
    "honey-free": "Z",
    "gelatin-free": "J",
    "sugar-free": "H",
    "no-added-sugar": "H",
    "diabetic": "H",
    "keto": "CH",
    "low-carb": "CH",
    "paleo": "DLGHUY",
    "whole30": "DLGHUYA",
    "low-fodmap": "OLZ",
    "caffeine-free": "K",
    "alcohol-free": "A",
    "pregnancy": "RAtw",
    "infant": "VZTAKtw",
    "toddler": "TAtw",
    "kids": "Atw",
    "teens": "Atw",
    "sober": "A",
    "drivers": "Aw",
    "dogs": "XAtw",
    "cats": "XAtw",
    "fragrance-free": "W",
    "dye-free": "a",
}
# What leaves the question open under a constraint, so that the pair is not called kept either.
SILENT = {
    "halal": "MBJ",
    "kosher": "MBJD",
    "passover": "MBJDCYO",
    "jain": "O",
    "no-red-meat": "M",
    "no-beef": "M",
    "diabetic": "C",
    "sugar-free": "C",
    "no-added-sugar": "C",
    "paleo": "C",
    "whole30": "C",
    "sober": "tw",
    "dye-free": "H",
    "toddler": "KV",
    "kids": "K",
    "teens": "K",
    "raw-vegan": "C",
    "cats": "NUOLC",
    "dogs": "NUOHAC",
}


@dataclass(frozen=True)
class Product:
    title: str
    holds: frozenset[str]
    perhaps: frozenset[str]
    places: frozenset[str]  # aisles and occasions, in words


@dataclass(frozen=True)
class Theme:
    text: str
    constraints: tuple[str, ...]
    places: frozenset[str]


def _lines(path: Path) -> list[list[str]]:
    """The three fields of every line that is no comment."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 3:
            raise ValueError(f"{path}:{number}: {len(fields)} fields, must be 3, separated by |")
        rows.append(fields)
    return rows


def _held(letters: str, rename: dict[str, str]) -> tuple[frozenset[str], frozenset[str]]:
    """(held, perhaps held) of letters such as 'D L H0 c'."""
    held, perhaps = set(), set()
    letters = letters.replace(" ", "")
    for index, letter in enumerate(letters):
        if not letter.isalpha():
            continue
        unsure = letters[index + 1 : index + 2] == "0"
        if letter in ALWAYS_SMALL and not rename:
            held.add(letter)
        elif letter.islower() or unsure:
            perhaps.add(rename.get(letter.upper(), letter.upper()))
        else:
            held.add(rename.get(letter, letter))
    if unknown := (held | perhaps) - HOLDS.keys():
        raise ValueError(f"{letters!r} names {', '.join(sorted(unknown))}, which HOLDS does not explain")
    return frozenset(held), frozenset(perhaps - held)


def read_products(ontology: Path = DATA / "ontology.txt", titles: Path = DATA / "knowledge.txt") -> list[Product]:
    products = []
    for path, rename in ((ontology, ONTOLOGY), (titles, {})):
        for names, letters, places in _lines(path):
            held, perhaps = _held(letters, rename)
            products += [
                Product(name.strip(), held, perhaps, frozenset(places.lower().split()))
                for name in (names.split(";") if rename else [names])
            ]
    return products


def read_themes(path: Path = DATA / "themes.txt") -> list[Theme]:
    themes = []
    for constraints, places, text in _lines(path):
        named = tuple(name for name in constraints.split("+") if name != "none")
        unknown = set(named) - FORBIDS.keys()
        if unknown:
            raise ValueError(f"{path}: {text!r} carries {', '.join(sorted(unknown))}, which FORBIDS does not know")
        themes.append(Theme(text, named, frozenset(places.lower().split())))
    return themes


def breaks(theme: Theme, product: Product) -> bool | None:
    """Whether what the product holds breaks what the theme asks for; None where the letters can't tell."""
    forbidden = frozenset().union(*(FORBIDS[name] for name in theme.constraints))
    silent = frozenset().union(*(SILENT.get(name, "") for name in theme.constraints))
    edible = "I" not in product.holds
    for name in theme.constraints:
        # The letters of food say nothing of what is not eaten, and those of scent nothing of food.
        if edible == (name == "fragrance-free"):
            return None
    if product.holds & forbidden:
        return True
    if not theme.constraints or product.perhaps & forbidden or product.holds & silent:
        return None
    return False
