import pytest

from grid.secrets import masked, masked_text

WITH = [
    ("http://me:hunter2@host:5000/mlflow", "http://***@host:5000/mlflow"),
    ("postgresql://me:hunt@er2@host/db", "postgresql://***@host/db"),
    ("postgresql://me:hunt/er2@host/db", "postgresql://***@host/db"),
    ("postgresql+psycopg2://me:hu?nt#er2@host/db", "postgresql+psycopg2://***@host/db"),
    ("https://hunter2@host/", "https://***@host/"),
    ("https://hunter2:x-oauth-basic@host/", "https://***@host/"),
    ("mysql://host/db?user=me&password=hunter2&charset=utf8", "mysql://host/db?user=***&password=***&charset=utf8"),
    ("https://host/?sig=hunter2;sslmode=require", "https://host/?sig=***;sslmode=require"),
    ("https://host/#access=hunter2", "https://host/#***"),
    ("sqlite:////data/mlflow.db?key=hunter2", "sqlite:////data/mlflow.db?key=***"),
    ("sqlite+pysqlcipher://:hunter2@/data/mlflow.db", "sqlite+pysqlcipher://***@/data/mlflow.db"),
]
WITHOUT = [
    "http://host:5000", "sqlite:////home/me@work/a:b/mlflow.db", "databricks", "./mlruns", "databricks://profile",
    "postgresql://host/db?sslmode=require", "file:///a@b",
]  # fmt: skip


@pytest.mark.parametrize(("uri", "shown"), WITH)
def test_secrets_of_every_place_in_a_uri_are_masked(uri: str, shown: str) -> None:
    assert masked(uri) == shown
    assert masked(shown) == shown


@pytest.mark.parametrize("uri", WITHOUT)
def test_a_uri_without_secrets_is_shown_as_it_is(uri: str) -> None:
    assert masked(uri) == uri


@pytest.mark.parametrize(("uri", "shown"), WITH)
def test_an_error_that_quotes_the_uri_shows_it_masked(uri: str, shown: str) -> None:
    text = masked_text(f"Max retries: cannot reach '{uri}' (timed out), nor https://a:hunter2@b.", uri)
    assert shown in text
    assert "hunter2" not in text
    assert text.endswith("nor https://***@b.")


@pytest.mark.parametrize("secret", ["hunter2", "hunt%40er2", "hunt@er2"])
def test_a_password_that_an_error_quotes_alone_is_masked(secret: str) -> None:
    uri = f"postgresql://me:{secret.replace('@', '%40')}@host/db"
    assert masked_text(f"port could not be cast to integer value as {secret!r}", uri).endswith("'***'")
