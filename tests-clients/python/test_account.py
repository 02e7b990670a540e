"""What an account has besides images: variants, signing keys, usage; and list v1."""

import unittest

from cloudflare import BadRequestError, ConflictError, NotFoundError

from darkroom_server import ACCOUNT_ID
from support import ClientTestCase

OPTIONS = {"fit": "cover", "width": 100.0, "height": 50, "metadata": "none"}


class Account(ClientTestCase):
    def test_variants_are_made_seen_edited_and_deleted(self):
        image = self.upload()
        names = lambda: [url.rsplit("/", 1)[1] for url in self.details(image.id).variants]

        variant = self.client.images.v1.variants.create(
            account_id=ACCOUNT_ID, id="hero", options=OPTIONS, never_require_signed_urls=True
        ).variant
        self.assertEqual((variant.id, variant.never_require_signed_urls), ("hero", True))
        self.assertEqual(variant.options.model_dump(exclude_unset=True), OPTIONS)
        self.assertEqual(names(), ["hero", "public"])
        details = self.client.images.v1.variants.get("hero", account_id=ACCOUNT_ID).variant
        self.assertEqual(details.model_dump(), variant.model_dump())
        self.assertIsNotNone(self.client.images.v1.variants.list(account_id=ACCOUNT_ID).variants)

        wider = {**OPTIONS, "width": 200}
        edited = self.client.images.v1.variants.edit("hero", account_id=ACCOUNT_ID, options=wider).variant
        self.assertEqual((edited.options.width, edited.never_require_signed_urls), (200, True))
        self.assertEqual(self.client.images.v1.variants.delete("hero", account_id=ACCOUNT_ID), {})
        self.assertEqual(names(), ["public"])

    def test_variants_that_cannot_be(self):
        usual = {"account_id": ACCOUNT_ID, "id": "a", "options": OPTIONS}
        create = lambda **params: self.client.images.v1.variants.create(**{**usual, **params})
        self.assert_refused(lambda: create(id="w=5"), BadRequestError, 400, 5400, pointer="/id")
        wide = {**OPTIONS, "width": 12001}
        self.assert_refused(lambda: create(options=wide), BadRequestError, 400, 5400, pointer="/options/width")
        self.assert_refused(lambda: create(id="public"), ConflictError, 409, 5409)
        delete = lambda: self.client.images.v1.variants.delete("public", account_id=ACCOUNT_ID)
        self.assert_refused(delete, BadRequestError, 400, 5400)
        for call in (
            lambda: self.client.images.v1.variants.get("nothing", account_id=ACCOUNT_ID),
            lambda: self.client.images.v1.variants.edit("nothing", account_id=ACCOUNT_ID, options=OPTIONS),
            lambda: self.client.images.v1.variants.delete("nothing", account_id=ACCOUNT_ID),
        ):
            self.assert_refused(call, NotFoundError, 404, 5404, "Variant not found")

    def test_signing_keys_come_and_go(self):
        names = lambda answer: [key.name for key in answer.keys]
        first = self.client.images.v1.keys.list(account_id=ACCOUNT_ID)
        self.assertEqual(names(first), ["default"])
        two = self.client.images.v1.keys.update("second", account_id=ACCOUNT_ID)
        self.assertEqual(names(two), ["default", "second"])
        again = self.client.images.v1.keys.update("second", account_id=ACCOUNT_ID)
        self.assertEqual(again, two, "repeating changes nothing")
        left = self.client.images.v1.keys.delete("second", account_id=ACCOUNT_ID)
        self.assertEqual(left.keys[0].value, first.keys[0].value)
        missing = lambda: self.client.images.v1.keys.delete("second", account_id=ACCOUNT_ID)
        self.assert_refused(missing, NotFoundError, 404, 5404, "Key not found")
        replaced = self.client.images.v1.keys.delete("default", account_id=ACCOUNT_ID)
        self.assertEqual(names(replaced), ["default"])
        self.assertNotEqual(replaced.keys[0].value, first.keys[0].value)

    def test_images_are_counted(self):
        count = lambda: self.client.images.v1.stats.get(account_id=ACCOUNT_ID).count
        before = count()
        self.upload()
        self.assertEqual((count().current, count().allowed), (before.current + 1, before.allowed))

    def test_list_v1_answers_with_numbered_pages(self):
        for image_id in ("one", "two", "three"):
            self.upload(id=image_id, creator="lister")
        # The client looks for `items`, which the API does not have, so it is asked for what came.
        v1 = self.client.images.v1.with_raw_response
        body = v1.list(account_id=ACCOUNT_ID, creator="lister", per_page=2, page=2).http_response.json()
        self.assertEqual([image["id"] for image in body["result"]["images"]], ["one"])
        self.assertEqual(
            body["result_info"], {"page": 2, "per_page": 2, "count": 1, "total_count": 3, "total_pages": 2}
        )
        refused = lambda: self.client.images.v1.list(account_id=ACCOUNT_ID, per_page=0)
        self.assert_refused(refused, BadRequestError, 400, 5400, pointer="/query/per_page")


if __name__ == "__main__":
    unittest.main()
