"""One image: details, edit, delete, its bytes; and who may."""

import unittest
import urllib.request

from cloudflare import (
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    Omit,
    PermissionDeniedError,
)

from darkroom_server import ACCOUNT_ID, API_TOKEN
from support import PIXEL, ClientTestCase, photo

UNKNOWN_TOKEN = "some-other-token-that-is-unknown"


class Images(ClientTestCase):
    def edit(self, image_id, **params):
        return self.client.images.v1.edit(image_id, account_id=ACCOUNT_ID, **params)

    def delete(self, image_id):
        return self.client.images.v1.delete(image_id, account_id=ACCOUNT_ID)

    def assert_missing(self, call):
        self.assert_refused(call, NotFoundError, 404, 5404, "Image not found")

    def test_ids_with_every_kind_of_character(self):
        for image_id in ("a/b c", "cats/tabby.png", "100%", "a+b", "naïve/café ☕", "a?b#c", "a%2Fb", "q=1&w=2"):
            uploaded = self.upload(id=image_id)
            self.assertEqual(uploaded.id, image_id)
            self.assertEqual(self.details(image_id), uploaded)
            blob = self.client.images.v1.blobs.get(image_id, account_id=ACCOUNT_ID)
            self.assertEqual(blob.read(), PIXEL)
            with urllib.request.urlopen(uploaded.variants[0]) as delivered:
                # Its rendition, which need not be the same bytes: a PNG of one pixel.
                self.assertEqual(delivered.read()[12:24], PIXEL[12:24])

    def test_an_edit_replaces_what_it_names_and_nothing_else(self):
        image = self.upload(id="edited", creator="ann", metadata='{"a":1}')
        self.assertEqual(self.edit("edited"), image, "{} changes nothing")
        self.assertEqual(self.requests[-1].content, b"{}")
        edited = self.edit("edited", metadata={"b": 5, "deep": {"flag": True}})
        self.assertEqual((edited.meta, edited.creator), ({"b": 5, "deep": {"flag": True}}, "ann"))
        self.assertEqual(self.edit("edited", creator="bob").creator, "bob")
        self.assertIsNone(self.edit("edited", creator="").creator)
        self.assertEqual(self.edit("edited", metadata={}).meta, {})
        self.assert_refused(
            lambda: self.edit("edited", require_signed_urls=True), BadRequestError, status=400, code=5410
        )
        self.assert_refused(lambda: self.edit("edited", creator=5), BadRequestError, 400, 5400, pointer="/creator")

    def test_what_is_deleted_is_gone(self):
        self.upload(id="gone")
        self.assertEqual(self.delete("gone"), {})
        request = self.requests[-1]
        self.assertEqual((request.headers.get("content-type"), request.content), ("application/json", b""))
        self.assert_missing(lambda: self.details("gone"))
        self.assert_missing(lambda: self.delete("gone"))
        self.assert_missing(lambda: self.edit("gone", creator="a"))
        self.assert_missing(lambda: self.client.images.v1.blobs.get("gone", account_id=ACCOUNT_ID))

    def test_the_blob_is_the_file_to_the_last_byte(self):
        file = photo("chelsea.png")
        image = self.upload(file=("chelsea.png", file), require_signed_urls=True)
        blob = self.client.images.v1.blobs.get(image.id, account_id=ACCOUNT_ID)
        self.assertEqual(blob.headers["content-type"], "image/png")
        self.assertEqual(blob.read(), file)

    def test_the_token_is_verified(self):
        self.assertEqual(self.client.user.tokens.verify().status, "active")
        self.assert_refused(
            lambda: self.connect(api_token=UNKNOWN_TOKEN).user.tokens.verify(),
            AuthenticationError,
            401,
            1000,
            "Invalid API Token",
        )

    def test_who_may_not_is_told_so(self):
        def check(kind, status, code, client=self.client, account_id=ACCOUNT_ID, **options):
            call = lambda: client.images.v2.list(account_id=account_id, **options)
            return self.assert_refused(call, kind, status, code)

        check(PermissionDeniedError, 403, 9109, self.connect(api_token=UNKNOWN_TOKEN))
        check(BadRequestError, 400, 6003, self.connect(api_token="not a token!"))
        check(BadRequestError, 400, 9106, extra_headers={"Authorization": Omit()})
        check(PermissionDeniedError, 403, 5403, account_id="f" * 32)

    def test_a_token_of_ours_is_accepted_as_a_key(self):
        client = self.connect(api_key=API_TOKEN, api_email="someone@example.com")
        self.assertEqual(client.user.tokens.verify().status, "active")


if __name__ == "__main__":
    unittest.main()
