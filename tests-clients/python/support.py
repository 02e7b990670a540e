"""The published client, unchanged, and what each test needs around it."""

import base64
import os
import unittest

import cloudflare
import httpx

from darkroom_server import ACCOUNT_ID, API_TOKEN, ROOT, Server

# A picture of one pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def photo(name):
    """Returns a photograph of the repository."""
    return (ROOT / "tests/photos" / name).read_bytes()


class ClientTestCase(unittest.TestCase):
    """Starts one server for the class; `self.requests` holds what the clients put on the wire in this test."""

    FLAGS = ()
    ENVIRONMENT = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.FLAGS, cls.ENVIRONMENT)
        cls.addClassCleanup(cls.server.stop)
        # The client finds the server through its own setting.
        os.environ["CLOUDFLARE_BASE_URL"] = cls.server.base_url
        cls.requests = []
        cls.client = cls.connect(api_token=API_TOKEN)

    def setUp(self):
        self.requests.clear()

    @classmethod
    def connect(cls, **options):
        """Returns a client that notes its requests."""
        noting = httpx.Client(event_hooks={"request": [cls.requests.append]}, timeout=60, follow_redirects=True)
        cls.addClassCleanup(noting.close)
        return cloudflare.Cloudflare(http_client=noting, **options)

    def upload(self, **params):
        params = {"file": ("pixel.png", PIXEL), **params}
        return self.client.images.v1.create(account_id=ACCOUNT_ID, **params)

    def list(self, **params):
        return self.client.images.v2.list(account_id=ACCOUNT_ID, **params)

    def ids(self, **params):
        return [image.id for image in self.list(**params).images]

    def details(self, image_id):
        return self.client.images.v1.get(image_id, account_id=ACCOUNT_ID)

    def assert_refused(self, call, kind, status, code, message=None, pointer=None):
        """Expects that the call fails so, after exactly one request; returns the error."""
        self.requests.clear()
        with self.assertRaises(cloudflare.APIStatusError) as raised:
            call()
        error = raised.exception
        self.assertIs(type(error), kind, error)
        self.assertEqual(error.status_code, status)
        self.assertEqual([item.code for item in error.errors], [code], error)
        self.assertEqual((error.body["success"], error.body["result"], error.body["messages"]), (False, None, []))
        if message is not None:
            self.assertEqual(error.errors[0].message, message)
        if pointer is not None:
            self.assertEqual(error.errors[0].source.pointer, pointer)
        self.assertEqual(len(self.requests), 1, "the client must not try again")
        return error
