"""Names of species as science and other programs have them, from a table that a user can copy, edit and pass.

The benchmark's 24 labels are filled in. A label that covers several species has the lowest taxon that surely holds
all of them: `large ungulate` is Mammalia, because even-toed and odd-toed hoofed animals share no lower taxon;
`hippopotamus` is the family, because common and pygmy hippopotamus live at such sites; `small cat` and `duiker` are
subfamilies. Identifiers (GBIF's backbone, SpeciesNet's) stand only where they were looked up.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from primatrix.disk import read_text_table, write_whole
from primatrix.errors import InputError
from primatrix.labels import fold_name

__all__ = ["Category", "ObservationType", "Rank", "Taxon", "Taxonomy", "copy_taxonomy", "read_taxonomy"]

Category = Literal["animal", "person", "vehicle", "none"]  # MegaDetector's
ObservationType = Literal["animal", "human", "vehicle", "blank", "unknown"]  # Camtrap DP's
Rank = Literal[
    "", "kingdom", "phylum", "class", "order", "family", "subfamily", "tribe", "genus", "species", "subspecies"
]  # fmt: skip
OWN_TABLE = Path(__file__).with_name("taxonomy.csv")
WORDS = {
    "taxon_rank": get_args(Rank),
    "category": get_args(Category),
    "observation_type": get_args(ObservationType),
}
NON_ANIMALS = {"person": "human", "vehicle": "vehicle", "none": "blank"}


@dataclass(frozen=True, slots=True)
class Taxon:
    """One row of the table: a model's label and what it is called elsewhere; empty where that is not known."""

    species: str
    scientific_name: str = ""
    taxon_rank: Rank = ""
    class_: str = ""
    order: str = ""
    family: str = ""
    genus: str = ""
    epithet: str = ""
    common_name: str = ""
    gbif_id: str = ""
    speciesnet_id: str = ""
    category: Category = "animal"
    observation_type: ObservationType = "animal"

    @property
    def speciesnet_label(self) -> str:
        """SpeciesNet's form, lower case: `id;class;order;family;genus;species;common name`.

        >>> read_taxonomy()["bird"].speciesnet_label
        'b1352069-a39c-4a84-a949-60044271c0c1;aves;;;;;bird'
        """
        ranks = (self.class_, self.order, self.family, self.genus, self.epithet)
        parts = (self.speciesnet_id, *ranks, self.species)
        return ";".join(part.replace(";", ",").strip() for part in parts).lower()


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """Taxa by label; a label that is not in the table is an animal without a scientific name.

    >>> taxonomy = read_taxonomy()
    >>> taxonomy["Forest_Buffalo"].scientific_name
    'Syncerus caffer nanus'
    >>> taxonomy.find_unknown(["hog", "zebra"])
    ('zebra',)
    """

    taxa: tuple[Taxon, ...]

    def __getitem__(self, species: str) -> Taxon:
        exact = {taxon.species: taxon for taxon in self.taxa}
        loose = {fold_name(taxon.species): taxon for taxon in self.taxa}
        found = exact.get(species) or loose.get(fold_name(species))
        if found is None:
            return Taxon(species)
        return Taxon(**{**_values_of(found), "species": species})  # type: ignore[arg-type]  # values of one Taxon

    def find_unknown(self, species: Iterable[str]) -> tuple[str, ...]:
        """Labels that the table does not have."""
        known = {fold_name(taxon.species) for taxon in self.taxa}
        return tuple(name for name in species if fold_name(name) not in known)


def read_taxonomy(path: str | Path | None = None) -> Taxonomy:
    """The taxa of a table, over primatrix' own: rows of the file win, other labels keep the own row.

    The file needs the columns `species` and `scientific_name`, and may have any other of `copy_taxonomy`'s table.
    Raises InputError for other columns, a label that stands there twice, and words that are none of the format's.
    """
    own = {fold_name(taxon.species): taxon for taxon in _read_taxa(OWN_TABLE)}
    given = {fold_name(taxon.species): taxon for taxon in _read_taxa(Path(path))} if path else {}
    return Taxonomy(tuple({**own, **given}.values()))


def copy_taxonomy(path: str | Path) -> Path:
    """Write primatrix' own table to `path`, to be edited; refuses to write over a file.

    >>> import tempfile
    >>> path = copy_taxonomy(Path(tempfile.mkdtemp(), "taxonomy.csv"))
    >>> len(read_taxonomy(path).taxa)
    24
    """
    path = Path(path)
    if path.exists():
        raise InputError(f"{path}: exists, and may have been edited; name another file or delete it")
    return write_whole(path, lambda file: file.write_bytes(OWN_TABLE.read_bytes()))


def _read_taxa(path: Path) -> list[Taxon]:
    columns = [field.name.rstrip("_") for field in fields(Taxon)]
    table = read_text_table(path, needed=("species", "scientific_name"), known=columns)
    taxa: dict[str, Taxon] = {}
    for row in table.to_dict("records"):
        key = fold_name(row["species"])
        if not key or key in taxa:
            what = f"species {row['species']!r} stands there twice" if key else "a row has no species"
            raise InputError(f"{path}: {what}; wanted each of the model's labels once")
        taxa[key] = _make_taxon({str(column): str(value).strip() for column, value in row.items()}, path)
    return list(taxa.values())


def _make_taxon(row: dict[str, str], path: Path) -> Taxon:
    row = {**row, "category": row.get("category") or "animal"}
    row["observation_type"] = row.get("observation_type") or NON_ANIMALS.get(row["category"], "animal")
    for column, words in WORDS.items():
        if row.get(column, "") not in words and not (column == "taxon_rank" and not row.get(column)):
            raise InputError(f"{path}: {column} {row[column]!r} of {row['species']}; wanted one of "
                             f"{', '.join(word for word in words if word)}")  # fmt: skip
    return Taxon(**{"class_" if name == "class" else name: value for name, value in row.items()})  # type: ignore[arg-type]


def _values_of(taxon: Taxon) -> dict[str, str]:
    return {field.name: getattr(taxon, field.name) for field in fields(Taxon)}
