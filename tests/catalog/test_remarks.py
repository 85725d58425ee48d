"""What is allowed, and worth a second look."""

from typing import Any

import pytest

from gateway.catalog.loading import from_json
from gateway.catalog.remarks import remarks
from gateway.catalog.validation import check_catalog
from tests.catalog.cached import API, PRODUCT, documents, with_embeddings


def test_sharing_between_all_callers_is_remarked_on() -> None:
    """Allowed, and said; of a cache that is off there is nothing to say."""
    catalog = documents(api=with_embeddings(varyBy=[]), product={"mode": "off", "varyBy": []}, gateway={"mode": "off"})
    assert check_catalog(catalog) == []
    assert [str(remark) for remark in remarks(catalog)] == [
        "Api a: semanticCache.varyBy: is empty: all callers get each other's answers"
    ]


TOKENS = {"tokensPerMinute": 5, "estimatePromptTokens": True}
QUOTA = {"tokenQuota": 5, "tokenQuotaPeriod": "Daily", "estimatePromptTokens": True}
NAMED = {"remainingTokensHeaderName": "x-left", "remainingQuotaTokensHeaderName": "x-quota"}
FIXED = 'is a fixed text, the same for every call ("text:%s" says that it is meant)'
SHARED = "is a fixed text, the same for all callers, who share one counter"

LIMITS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "words": (
        {"tokenLimit": {**TOKENS, **QUOTA, **NAMED, "counterKey": "subscription+user:x-user+header:x-team+ip+model"}},
        [],
    ),
    "a slip of the pen": (
        {"tokenLimit": {**TOKENS, "counterKey": "subscripton"}},
        [f'tokenLimit.counterKey: "subscripton" {SHARED}; did you mean "subscription"?'],
    ),
    "another case": (
        {"budget": {"counterKey": "Product", "usd": 5, "period": "Daily"}},
        [f'budget.counterKey: "Product" {SHARED}; did you mean "product"?'],
    ),
    "a text that is meant": (
        {"rateLimit": {"counterKey": "everybody", "calls": 5}},
        [f'rateLimit.counterKey: "everybody" {SHARED}'],
    ),
    "the second of two, among others": (
        {"rateLimit": [{"counterKey": "ip", "calls": 5}, {"counterKey": "ip+modle", "calls": 5}]},
        ['rateLimit[1].counterKey: "modle" is a fixed text, the same for all callers; did you mean "model"?'],
    ),
    "headers that are never sent": (
        {"tokenLimit": [{**TOKENS, **NAMED, "counterKey": "ip"}, {**QUOTA, **NAMED, "counterKey": "ip"}]},
        [
            "tokenLimit[0].remainingQuotaTokensHeaderName: is never sent, for there is no tokenQuota",
            "tokenLimit[1].remainingTokensHeaderName: is never sent, for there is no tokensPerMinute",
        ],
    ),
    "dimensions": (
        {
            "tokenMetrics": {
                "dimensions": {
                    "Model": None,
                    "A": "subscription",
                    "B": "header:x-team",
                    "C": "text:subscripton",
                    "D": "subscripton",
                    "E": "heder:x-team",
                    "F": "west",
                }
            }
        },
        [
            f'tokenMetrics.dimensions.D: "subscripton" {FIXED % "subscripton"}; did you mean "subscription"?',
            f'tokenMetrics.dimensions.E: "heder:x-team" {FIXED % "heder:x-team"}; did you mean "header"?',
            f'tokenMetrics.dimensions.F: "west" {FIXED % "west"}',
        ],
    ),
}


@pytest.mark.parametrize(("fields", "sentences"), LIMITS.values(), ids=LIMITS.keys())
@pytest.mark.parametrize("holder", [API, PRODUCT, {"kind": "Gateway"}], ids=["api", "product", "gateway"])
def test_limits(holder: dict[str, Any], fields: dict[str, Any], sentences: list[str]) -> None:
    """A text that is no word is one counter for everybody; a header of a limit that is not there is not sent."""
    document = from_json({**holder, **fields})
    assert [str(remark).partition(": ")[2] for remark in remarks([document])] == sentences
