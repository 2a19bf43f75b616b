"""Faces kept of the largest clusters."""

import numpy as np
import pyarrow.parquet as pq

from grid.evaluation.cluster_faces import largest, save_faces, spread

GROUPS = np.array([5, 5, 7, 7, 7, 2, 9, 9])
SUBJECTS = np.array([0, 1, 2, 2, 0, 3, 1, 1])


def test_clusters_are_sorted_by_size_then_by_their_first_image():
    assert [rows.tolist() for rows in largest(GROUPS)] == [[2, 3, 4], [0, 1], [6, 7], [5]]
    assert [rows.tolist() for rows in largest(GROUPS, 2)] == [[2, 3, 4], [0, 1]]


def test_faces_go_from_the_center_to_the_edge():
    angles = np.deg2rad([0, 40, 10, 3, 25])
    units = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    every = spread(np.arange(5), units)
    middle = units.mean(axis=0)
    assert (np.diff(units[every] @ middle) <= 0).all()
    assert spread(np.arange(5), units, 2) == [every[0], every[-1]]
    assert len(set(spread(np.arange(5), units, 3))) == 3


def test_the_table_names_the_main_subject_and_the_crops_are_its_rows(tmp_path):
    units = np.random.default_rng(0).normal(size=(8, 4))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    images, table = save_faces(GROUPS, SUBJECTS, units, lambda row: np.full((6, 4, 3), row, np.uint8), tmp_path)
    found = pq.read_table(tmp_path / table).to_pydict()
    faces = np.load(tmp_path / images)
    assert faces.shape == (8, 6, 4, 3)
    assert faces[:, 0, 0, 0].tolist() == found["row"]
    assert found["cluster"] == [0, 0, 0, 1, 1, 2, 2, 3]
    assert found["images"] == [3, 3, 3, 2, 2, 2, 2, 1]
    assert found["subjects"] == [2, 2, 2, 2, 2, 1, 1, 1]
    by_row = dict(zip(found["row"], found["main"], strict=True))
    assert by_row == {0: True, 1: False, 2: True, 3: True, 4: False, 5: True, 6: True, 7: True}
