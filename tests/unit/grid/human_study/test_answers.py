import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from human_studies import bundle

from grid.human_study.answers import Answers, Participant, Refused
from grid.human_study.design import ANSWERS, read_design
from grid.spec.grid_file import BadInput


@pytest.fixture
def answers(tmp_path: Path) -> Answers:
    return Answers(tmp_path, bundle(tmp_path, pairs=6))


def joined(answers: Answers) -> tuple[str, Participant]:
    token = answers.join()
    found = answers.participant(token)
    assert found is not None
    return token, found


def test_groups_stay_balanced_and_are_drawn_at_random(answers: Answers) -> None:
    letters = [joined(answers)[1].letter for _ in range(90)]
    for end in range(1, 91):
        counts = Counter(letters[:end])
        assert max(counts.values()) - min(counts.get(letter, 0) for letter in "ABC") <= 1
    blocks = {"".join(letters[start : start + 3]) for start in range(0, 90, 3)}
    assert len(blocks) > 2, "always the same order"
    assert answers.joined() == {"A": 30, "B": 30, "C": 30}


def test_each_participant_has_a_random_order_in_each_pass(answers: Answers) -> None:
    ids = {pair.id for pair in answers.design.pairs}
    orders = [order for _ in range(8) for order in joined(answers)[1].orders]
    assert all(set(order) == ids and len(order) == 6 for order in orders)
    assert len(set(orders)) > 8


def test_only_the_open_trial_is_stored_and_the_same_answer_may_come_again(answers: Answers) -> None:
    token, person = joined(answers)
    first, second = person.orders[0][:2]
    with pytest.raises(Refused, match="not the open trial"):
        answers.store(person, 1, second, 1, 5)
    with pytest.raises(Refused, match="not the open trial"):
        answers.store(person, 2, person.orders[1][0], 1, 5)  # the second pass has not begun
    answers.store(person, 1, first, 4, 5)
    answers.store(person, 1, first, 4, 9)
    with pytest.raises(Refused, match="has the answer 4 already"):
        answers.store(person, 1, first, 5, 5)
    assert [(one.pair, one.choice, one.milliseconds) for one in answers.all()] == [(first, 4, 5)]
    found = answers.participant(token)
    assert found is not None
    assert found.open == (1, 1, second)


def test_a_whole_session_ends_with_no_open_trial(answers: Answers) -> None:
    token, person = joined(answers)
    for number in (1, 2):
        for pair in person.orders[number - 1]:
            answers.store(person, number, pair, number, 10)
    found = answers.participant(token)
    assert found is not None
    assert found.open is None
    stored = answers.all()
    assert [(one.number, one.position) for one in stored] == [(number, at) for number in (1, 2) for at in range(6)]
    with pytest.raises(Refused):
        answers.store(person, 2, "0" * 16, 1, 10)


def test_two_threads_store_one_answer_to_a_trial(answers: Answers) -> None:
    _, person = joined(answers)

    def give(choice: int) -> bool:
        try:
            answers.store(person, 1, person.orders[0][0], choice, 1)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(give, [1, 2, 3, 4, 5] * 8))
    (stored,) = answers.all()
    assert sum(given) == 8  # those with the stored choice
    assert given[stored.choice - 1]


def test_forged_tokens_have_no_participant_and_the_file_holds_no_token(answers: Answers, tmp_path: Path) -> None:
    token, _ = joined(answers)
    for forged in ("", "x", token[:-1], token + "a", token.swapcase(), "\ud800", "' OR 1=1 --"):
        assert answers.participant(forged) is None
    answers.close()
    assert token.encode() not in b"".join(file.read_bytes() for file in tmp_path.glob(f"{ANSWERS}*"))


def test_a_commit_is_synced_to_the_disk(answers: Answers) -> None:
    database = answers._database
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_no_column_could_identify_a_participant(answers: Answers) -> None:
    names = {
        row[1] for table in ("participants", "answers") for row in answers._database.execute(f"PRAGMA table_info({table})")
    }
    assert names == {
        "id", "token", "letter", "orders", "participant", "pass", "position", "pair", "choice", "milliseconds",
    }  # fmt: skip


def test_answers_belong_to_one_design(answers: Answers, tmp_path: Path) -> None:
    answers.join()
    answers.close()
    design = read_design(tmp_path)
    assert Answers(tmp_path, design).joined() != {"A": 0, "B": 0, "C": 0}
    with pytest.raises(BadInput, match="given to another design"):
        Answers(tmp_path, design.model_copy(update={"threshold": 0.7}))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / ANSWERS).write_text("no database at all, but long enough to be read as one" * 20)
    with pytest.raises(BadInput, match="no usable database"):
        Answers(tmp_path / "broken", design)


def test_the_database_refuses_an_impossible_choice(answers: Answers) -> None:
    _, person = joined(answers)
    with pytest.raises(sqlite3.IntegrityError):
        answers.store(person, 1, person.orders[0][0], 6, 1)
    assert answers.all() == []
    answers.store(person, 1, person.orders[0][0], 5, 1)  # the failed transaction was rolled back
