"""List v2: what the client really puts on the wire, and what comes back."""

import unittest

from cloudflare import BadRequestError

from darkroom_server import ACCOUNT_ID
from support import ClientTestCase

EVERY_ID = ["five", "four", "three", "two", "one"]


class ListV2(ClientTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        put = cls("ids")
        put.upload(id="one", creator="ann", metadata='{"status":"active","priority":5,"enabled":true,"region":{"name":"eu"},"label":"a|b c"}')
        put.upload(id="two", creator="bob", metadata='{"status":"pending","priority":"5","enabled":"true","label":"1+1 = 2"}')
        put.upload(id="three", metadata='{"status":"deleted","priority":7,"enabled":false,"label":"naïve café +1"}')
        put.upload(id="four", creator="ann", metadata={"status": "active", "priority": 9})
        put.upload(id="five")

    def check(self, params, query, ids):
        """Expects this query string and these ids."""
        self.assertEqual(self.ids(**params), ids)
        self.assertEqual(self.requests[-1].url.query.decode(), query)

    def test_a_page_whole(self):
        page = self.list()
        self.assertIsNone(page.continuation_token)
        self.assertEqual([image.id for image in page.images], EVERY_ID)
        # The client reads `requireSignedURLs` in a list and in details in two ways.
        for field in ("id", "creator", "filename", "meta", "uploaded", "variants"):
            self.assertEqual(getattr(page.images[4], field), getattr(self.details("one"), field))

    def test_brackets_colons_pipes_spaces_and_plus_signs(self):
        self.check({"meta": {"status[eq]": "active"}}, "meta.status%5Beq%5D=active", ["four", "one"])
        self.check({"meta": {"status[eq:string]": "active"}}, "meta.status%5Beq%3Astring%5D=active", ["four", "one"])
        self.check({"meta": {"label[eq]": "a|b c"}}, "meta.label%5Beq%5D=a%7Cb+c", ["one"])
        self.check({"meta": {"label[eq]": "1+1 = 2"}}, "meta.label%5Beq%5D=1%2B1+%3D+2", ["two"])
        self.check(
            {"meta": {"label[eq]": "naïve café +1"}}, "meta.label%5Beq%5D=na%C3%AFve+caf%C3%A9+%2B1", ["three"]
        )
        self.check({"meta": {"status[in]": "pending|deleted"}}, "meta.status%5Bin%5D=pending%7Cdeleted", ["three", "two"])

    def test_numbers_and_booleans(self):
        self.check({"meta": {"priority[eq:number]": 5}}, "meta.priority%5Beq%3Anumber%5D=5", ["one"])
        self.check({"meta": {"priority[eq:number]": 5.0}}, "meta.priority%5Beq%3Anumber%5D=5.0", ["one"])
        self.check({"meta": {"priority[eq]": 5}}, "meta.priority%5Beq%5D=5", ["two", "one"])
        self.check({"meta": {"enabled[eq:boolean]": True}}, "meta.enabled%5Beq%3Aboolean%5D=true", ["one"])
        self.check({"meta": {"enabled[eq:boolean]": False}}, "meta.enabled%5Beq%3Aboolean%5D=false", ["three"])

    def test_a_nested_dictionary_is_a_dotted_path(self):
        self.check({"meta": {"region": {"name[eq]": "eu"}}}, "meta.region.name%5Beq%5D=eu", ["one"])

    def test_a_list_is_two_filters(self):
        self.check(
            {"meta": {"status[in]": ["active", "pending"]}},
            "meta.status%5Bin%5D=active&meta.status%5Bin%5D=pending",
            [],
        )

    def test_empty_and_none_are_not_sent(self):
        for params in ({"creator": ""}, {"creator": None}, {"continuation_token": None}, {"continuation_token": ""}):
            self.check(params, "", EVERY_ID)
        self.check({"creator": "ann"}, "creator=ann", ["four", "one"])
        # So what has no creator is asked for by hand.
        self.check({"extra_query": {"creator": " "}}, "creator=+", [])
        raw = self.client.get(f"/accounts/{ACCOUNT_ID}/images/v2?creator=", cast_to=object)
        self.assertEqual([image["id"] for image in raw["result"]["images"]], ["five", "three"])

    def test_order_and_size(self):
        first = self.list(sort_order="asc", per_page=2)
        self.assertEqual([image.id for image in first.images], ["one", "two"])
        rest = self.list(sort_order="asc", continuation_token=first.continuation_token)
        self.assertEqual([image.id for image in rest.images], ["three", "four", "five"])
        self.assertIsNone(rest.continuation_token)

    def test_what_is_shaped_like_a_filter_and_is_none_is_refused(self):
        def check(meta, message, pointer=None):
            error = self.assert_refused(lambda: self.list(meta=meta), BadRequestError, 400, 5400, message, pointer)
            self.assertTrue(error.errors[0].documentation_url.startswith("https://"))

        check({"status": {"eq": "active"}}, "Invalid metadata filter: 'meta.status.eq'", "/query/meta.status.eq")
        check({"status": "active"}, "Invalid metadata filter: 'meta.status'", "/query/meta.status")
        check({"field_operator": "x"}, "Invalid metadata filter field name: '<field>'", "/query/meta.<field>[<operator>]")
        check({"status[not-eq]": "x"}, "Unsupported metadata filter operator: 'not-eq'", "/query/meta.status[not-eq]")
        six = {f"{name}[eq]": 1 for name in "abcdef"}
        check(six, "Too many metadata filters: 6 provided, maximum 5 allowed", "/query")

    def test_a_token_of_another_question_is_refused(self):
        token = self.list(per_page=1).continuation_token
        for params in ({"sort_order": "asc"}, {"creator": "ann"}, {"meta": {"status[eq]": "active"}}):
            call = lambda: self.list(continuation_token=token, **params)
            self.assert_refused(call, BadRequestError, 400, 5400, "Invalid continuation_token")

    def test_a_page_of_none_is_refused(self):
        self.assert_refused(lambda: self.list(per_page=0), BadRequestError, 400, 5400, "Invalid per_page: '0'")


if __name__ == "__main__":
    unittest.main()
