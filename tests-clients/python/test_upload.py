"""Uploads, in every shape in which the client sends them."""

import base64
import http.server
import json
import ssl
import threading
import unittest

from cloudflare import APIStatusError, BadRequestError, ConflictError

from darkroom_server import ACCOUNT_HASH, ACCOUNT_ID, ROOT
from support import PIXEL, ClientTestCase, photo


CERTIFICATES = ROOT / "tests/certificates"


class Origin(http.server.BaseHTTPRequestHandler):
    """Gives a photograph to whoever has the password, whatever it calls it."""

    def do_GET(self):
        known = self.headers["Authorization"] == "Basic " + base64.b64encode(b"me:word").decode()
        body = photo("chelsea.png") if known else b""
        self.send_response(200 if known else 401)
        # Without a length, the end of a connection over TLS might be anyone's doing.
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Upload(ClientTestCase):
    # Origins are on this machine, and an authority of our own vouches for them.
    FLAGS = ("--allow-private-sources", "127.0.0.0/8")
    ENVIRONMENT = {"SSL_CERT_FILE": str(CERTIFICATES / "authority.pem")}

    def test_a_photograph_with_everything_that_can_be_said_about_it(self):
        metadata = {"status": "active", "priority": 5, "enabled": True, "region": {"name": "eu"}, "tags": ["a", 1]}
        image = self.upload(
            id="cats/chelsea",
            file=("chelsea.png", photo("chelsea.png"), "image/png"),
            creator="user123",
            metadata=json.dumps(metadata),
            require_signed_urls=False,
        )
        self.assertEqual(image.id, "cats/chelsea")
        self.assertEqual(image.filename, "chelsea.png")
        self.assertEqual(image.creator, "user123")
        self.assertEqual(image.meta, metadata)
        self.assertIs(image.require_signed_urls, False)
        self.assertEqual(image.variants, [f"{self.server.origin}/{ACCOUNT_HASH}/cats/chelsea/public"])
        self.assertIsNotNone(image.uploaded.tzinfo)

    def test_metadata_as_a_dictionary_arrives_as_text_with_its_shape(self):
        image = self.upload(
            metadata={
                "status": "a|b c",
                "priority": 5,
                "enabled": True,
                "region": {"name": "eu", "zone": {"id": 3}},
                "tags": ["x", 2],
                "empty": "",
            }
        )
        # The client drops what is empty.
        self.assertEqual(
            image.meta,
            {
                "status": "a|b c",
                "priority": "5",
                "enabled": "true",
                "region": {"name": "eu", "zone": {"id": "3"}},
                "tags": ["x", "2"],
            },
        )

    def test_raw_bytes_are_called_upload(self):
        image = self.upload(file=PIXEL)
        self.assertEqual(image.filename, "upload")
        self.assertRegex(image.id, r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        self.assertIsNone(image.meta)
        self.assertIsNone(image.creator)

    def test_a_path_and_an_open_file(self):
        path = ROOT / "tests/photos" / "rocket.jpg"
        self.assertEqual(self.upload(file=path).filename, "rocket.jpg")
        with open(path, "rb") as file:
            image = self.upload(file=file)
        blob = self.client.images.v1.blobs.get(image.id, account_id=ACCOUNT_ID)
        self.assertEqual(blob.read(), path.read_bytes())

    def test_a_private_image_has_a_generated_id(self):
        self.assertIs(self.upload(require_signed_urls=True).require_signed_urls, True)
        self.assert_refused(
            lambda: self.upload(id="mine", require_signed_urls=True), BadRequestError, status=400, code=5410
        )

    def test_bodies_that_cannot_be(self):
        def check(message=None, **params):
            self.assert_refused(lambda: self.upload(**params), BadRequestError, 400, 5400, message)

        check(file=("empty.png", b""))
        check(file=("half.png", photo("chelsea.png")[:5000]), message="images.create: bad image format")
        check(metadata="not JSON", message="Invalid metadata: must be a JSON object")
        check(metadata="[1]")
        check(metadata=json.dumps({"a": "x" * 1017}), message="Metadata must not exceed 1024 bytes")
        self.assert_refused(
            lambda: self.client.images.v1.create(account_id=ACCOUNT_ID, creator="nobody"),
            BadRequestError,
            400,
            5400,
            "Exactly one of file and url is required",
        )
        self.assert_refused(
            lambda: self.client.images.v1.create(account_id=ACCOUNT_ID), BadRequestError, 400, 5400
        )

    def test_statuses_without_a_class_of_their_own(self):
        self.assert_refused(lambda: self.upload(file=b"just words"), APIStatusError, status=415, code=5455)
        self.assert_refused(lambda: self.upload(file=PIXEL + bytes(10 << 20)), APIStatusError, status=413, code=7011)
        raw = {"content": PIXEL, "options": {"headers": {"Content-Type": "image/png"}}, "cast_to": object}
        self.assert_refused(
            lambda: self.client.post(f"/accounts/{ACCOUNT_ID}/images/v1", **raw), APIStatusError, status=415, code=5415
        )

    def test_an_id_that_is_taken_is_a_conflict_and_the_file_is_not_sent_again(self):
        first = self.upload(id="taken", creator="first")
        self.assert_refused(
            lambda: self.upload(id="taken", creator="second"),
            ConflictError,
            409,
            5409,
            "Resource already exists. Verify the resource information and try again.",
        )
        self.assertEqual(self.details("taken"), first)

    def test_ids_that_cannot_be(self):
        for image_id in ("/a", "a//b", "../a", "stats", "page.html", "x" * 1025, "8F14E45F-ceea-4e7a-9c1b-2d3a5b6c7d12"):
            self.assert_refused(lambda: self.upload(id=image_id), BadRequestError, status=400, code=5411)

    def test_a_photograph_from_where_it_is(self):
        place = self.start_origin()
        self.assert_fetched(f"http://me:word@{place}/cats/chelsea%20.png?large")
        create = lambda url: self.client.images.v1.create(account_id=ACCOUNT_ID, url=url)
        self.assert_refused(
            lambda: create(f"http://{place}/chelsea.png"),
            BadRequestError,
            400,
            5454,
            "Fetching the url failed: its host answered with status 401",
            "/url",
        )
        self.assert_refused(lambda: create("http://[::1]/chelsea.png"), BadRequestError, status=400, code=5454)
        self.assert_refused(lambda: create("http://127.1/chelsea.png"), BadRequestError, status=400, code=5400)

    def test_a_photograph_from_an_origin_that_proves_who_it_is(self):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(CERTIFICATES / "origin.pem", CERTIFICATES / "origin-key.pem")
        place = self.start_origin(tls)
        self.assert_fetched(f"https://me:word@{place}/chelsea%20.png")
        # The certificate says nothing of this name.
        url = f"https://me:word@{place}/".replace("127.0.0.1", "localhost")
        self.assert_refused(
            lambda: self.client.images.v1.create(account_id=ACCOUNT_ID, url=url),
            BadRequestError,
            400,
            5454,
            "Fetching the url failed: no trusted TLS connection to its host",
        )

    def start_origin(self, tls=None):
        """Returns where it is."""
        origin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
        origin.handle_error = lambda *_: None
        if tls is not None:
            origin.socket = tls.wrap_socket(origin.socket, server_side=True)
        threading.Thread(target=origin.serve_forever, daemon=True).start()
        self.addCleanup(origin.server_close)
        self.addCleanup(origin.shutdown)
        return f"127.0.0.1:{origin.server_port}"

    def assert_fetched(self, url):
        image = self.client.images.v1.create(account_id=ACCOUNT_ID, url=url, metadata={"a": "b"})
        self.assertEqual((image.filename, image.meta), ("chelsea .png", {"a": "b"}))
        blob = self.client.images.v1.blobs.get(image.id, account_id=ACCOUNT_ID)
        self.assertEqual(blob.read(), photo("chelsea.png"))


if __name__ == "__main__":
    unittest.main()
