"""Words into numbers, against counts by hand and real Keras's legacy Tokenizer."""

import numpy as np
import pytest

from polykeras.preprocessing import text

TEXTS = ["The cat sat, the cat ran!", "A dog ran", "the\tDOG sat"]


@pytest.fixture
def real_text():
    return pytest.importorskip("keras.src.legacy.preprocessing.text")


@pytest.mark.parametrize(
    "options",
    [{}, {"num_words": 4, "oov_token": "?"}, {"lower": False, "filters": ","}, {"char_level": True}, {"num_words": 3}],
)
def test_tokenizer_gives_what_real_keras_gives(real_text, options):
    own, real = text.Tokenizer(**options), real_text.Tokenizer(**options)
    for tokenizer in (own, real):
        tokenizer.fit_on_texts(TEXTS)
    assert own.word_index == real.word_index and own.word_counts == dict(real.word_counts)
    assert dict(own.word_docs) == dict(real.word_docs) and own.document_count == real.document_count
    others = ["the bird sat", ["A", "cat"]]
    sequences = own.texts_to_sequences(others)
    assert sequences == real.texts_to_sequences(others)
    assert own.sequences_to_texts(sequences) == real.sequences_to_texts(sequences)
    for mode in ("binary", "count", "freq", "tfidf"):
        np.testing.assert_allclose(own.texts_to_matrix(TEXTS, mode), real.texts_to_matrix(TEXTS, mode))


def test_a_tokenizer_comes_back_from_json_of_either_library(real_text):
    own = text.Tokenizer(num_words=5, oov_token="?")
    own.fit_on_texts(TEXTS)
    copy = text.tokenizer_from_json(own.to_json())
    across = text.tokenizer_from_json(real_text.tokenizer_from_json(own.to_json()).to_json())
    for other in (copy, across):
        assert other.texts_to_sequences(TEXTS) == own.texts_to_sequences(TEXTS)
        np.testing.assert_array_equal(other.texts_to_matrix(TEXTS, "tfidf"), own.texts_to_matrix(TEXTS, "tfidf"))


def test_numbers_of_sequences_alone_are_weighed():
    tokenizer = text.Tokenizer(num_words=4)
    tokenizer.fit_on_sequences([[1, 1, 2], [1, 3]])
    matrix = tokenizer.sequences_to_matrix([[1, 1, 3]], "tfidf")
    expected = [0, (1 + np.log(2)) * np.log(1 + 2 / 3), 0, np.log(1 + 2 / 2)]
    np.testing.assert_allclose(matrix, [expected])


def test_words_are_split_and_hashed(real_text):
    assert text.text_to_word_sequence("One, TWO;three", lower=False, filters=",;") == ["One", "TWO", "three"]
    assert text.text_to_word_sequence("a-b c", filters="", split="-") == ["a", "b c"]
    for sentence in TEXTS:
        own = text.hashing_trick(sentence, 50, "md5")
        assert own == real_text.hashing_trick(sentence, 50, "md5")
    assert text.hashing_trick("ab c", 9, len, analyzer=list) == [2, 2, 2, 2]
    assert text.one_hot("a b a", 5)[0] == text.one_hot("a", 5)[0]


def test_mistakes_are_named():
    tokenizer = text.Tokenizer()
    with pytest.raises(ValueError, match="num_words, or a call of fit_on_texts"):
        tokenizer.sequences_to_matrix([[1]])
    with pytest.raises(ValueError, match="mode to be one of"):
        tokenizer.sequences_to_matrix([[1]], "other")
    with pytest.raises(ValueError, match="before mode='tfidf'"):
        text.Tokenizer(num_words=3).sequences_to_matrix([[1]], "tfidf")
