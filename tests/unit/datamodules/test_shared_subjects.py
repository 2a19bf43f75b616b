"""Which subjects are in two datasets."""

from pathlib import Path

from datamodules.datasets.agedb import AgeDBDatasetConfig as AgeDB
from datamodules.datasets.casia import CasiaDatasetConfig as Casia
from datamodules.datasets.folder import FolderDatasetConfig as Folder
from datamodules.datasets.recordio import RecordIODatasetConfig as RecordIO
from datamodules.shared_subjects import SharedSubjects, shared_subjects

LFW = Folder(root=Path("faces"), space="lfw")


def test_identities_are_compared_within_a_namespace_only() -> None:
    ours, theirs = ("bob", "ann", "ann"), ("ann", "eve", "bob")
    one, other = Folder(root=Path("a")), Folder(root=Path("b"))
    assert shared_subjects(one, ours, other, theirs) == SharedSubjects(("ann", "bob"), (), (0, 0))
    other = Folder(root=Path("b"), space="else")
    assert shared_subjects(one, ours, other, theirs) == SharedSubjects((), (), (0, 0))


def test_names_are_compared_between_namespaces(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("1 José_Ruiz\n2 Eve Foe\n3 Ida Jon\n4 ___\n", encoding="utf-8")
    casia = Casia(root=tmp_path, names_file=tmp_path / "names.txt")
    found = shared_subjects(casia, ("1", "1", "2", "4", "5"), LFW, ("Jose_Ruiz", "Ida_Jon", "___"))
    assert found.names == (("1", "Jose_Ruiz", "joseruiz"),), "Ida Jon has no image, and ___ is no name"
    assert found.named == (2, 2)
    assert found.of_evaluation() == {"Jose_Ruiz"}


def test_identities_of_containers_are_names_as_those_of_folders_are() -> None:
    records = RecordIO(root=Path("faces"), space="lfw")
    assert shared_subjects(records, ("Ann_Bee",), LFW, ("Ann_Bee",)).names == (("Ann_Bee", "Ann_Bee", "annbee"),)
    assert shared_subjects(RecordIO(root=Path("faces")), ("Ann_Bee",), LFW, ("Ann_Bee",)).names == ()


def test_agedb_s_identities_are_names_without_marks_between_words() -> None:
    agedb = AgeDB(root=Path("agedb"))
    found = shared_subjects(agedb, ("MariaCallas",), LFW, ("Maria_Callas",)).names
    assert found == (("MariaCallas", "Maria_Callas", "mariacallas"),)
