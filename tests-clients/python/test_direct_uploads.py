"""One-time upload URLs: the client asks for one, and someone else sends the file."""

import unittest
from datetime import datetime, timedelta, timezone

import httpx
from cloudflare import BadRequestError

from darkroom_server import ACCOUNT_HASH, ACCOUNT_ID
from support import PIXEL, ClientTestCase


class DirectUploads(ClientTestCase):
    def create(self, **params):
        return self.client.images.v2.direct_uploads.create(account_id=ACCOUNT_ID, **params)

    def send(self, url, file=PIXEL):
        return httpx.post(url, files={"file": ("pixel.png", file)})

    def test_a_url_without_parameters_takes_one_file(self):
        made = self.create()
        self.assertEqual(made.upload_url, f"{self.server.origin}/upload/{ACCOUNT_HASH}/{made.id}")
        self.assertIs(self.details(made.id).draft, True)
        answer = self.send(made.upload_url)
        self.assertEqual((answer.status_code, answer.json()["result"]["id"]), (200, made.id))
        self.assertEqual(self.client.images.v1.blobs.get(made.id, account_id=ACCOUNT_ID).read(), PIXEL)
        again = self.send(made.upload_url)
        self.assertEqual((again.status_code, again.text[:12]), (409, "ERROR 5409: "))

    def test_what_is_said_when_the_url_is_made_is_said_of_the_image(self):
        expiry = datetime.now(timezone.utc) + timedelta(hours=1)
        made = self.create(id="cats/a b", creator="ann", metadata={"status": "new"}, expiry=expiry)
        self.assertEqual(self.send(made.upload_url, b"words").status_code, 415)
        result = self.send(made.upload_url).json()["result"]
        self.assertEqual((result["id"], result["creator"], result["meta"]), ("cats/a b", "ann", {"status": "new"}))

    def test_what_cannot_be_asked_for(self):
        self.assert_refused(
            lambda: self.create(id="mine", require_signed_urls=True), BadRequestError, status=400, code=5410
        )
        expiry = datetime.now(timezone.utc) + timedelta(hours=7)
        self.assert_refused(lambda: self.create(expiry=expiry), BadRequestError, 400, 5400, pointer="/expiry")


if __name__ == "__main__":
    unittest.main()
