"""One small trained run for all tests of tasks."""

from pathlib import Path

import pytest
from tests.tasks import photos, pictures, sentences, small, words

from jumok.tasks.translate_predict import Translator


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.train_run(data, tmp_path_factory.mktemp("runs") / "small", steps=30, validate_every=30)


@pytest.fixture(scope="session")
def translator(run: Path) -> Translator:
    return Translator.load(run, device="cpu")


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures.write_pictures(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="session")
def classifier_run(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures.train_run(shapes, tmp_path_factory.mktemp("runs") / "vit")


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photos.write_photos(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="session")
def captioner_run(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photos.train_run(scenes, tmp_path_factory.mktemp("runs") / "captioner")


@pytest.fixture(scope="session")
def word_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return words.write_data(tmp_path_factory.mktemp("words"))


@pytest.fixture(scope="session")
def sentence_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sentences.write_data(tmp_path_factory.mktemp("sentences") / "data")
