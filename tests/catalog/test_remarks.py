"""What is allowed, and worth a second look."""

from gateway.catalog.remarks import remarks
from gateway.catalog.validation import check_catalog
from tests.catalog.cached import documents, with_embeddings


def test_sharing_between_all_callers_is_remarked_on() -> None:
    """Allowed, and said; of a cache that is off there is nothing to say."""
    catalog = documents(api=with_embeddings(varyBy=[]), product={"mode": "off", "varyBy": []}, gateway={"mode": "off"})
    assert check_catalog(catalog) == []
    assert [str(remark) for remark in remarks(catalog)] == [
        "Api a: semanticCache.varyBy: is empty: all callers get each other's answers"
    ]
