"""The published client's own retries, against faults that it asked for (docs/dev.md)."""

import json
import time
import urllib.request

import cloudflare

from darkroom_server import ACCOUNT_ID, API_TOKEN
from support import ClientTestCase


class RetriesTest(ClientTestCase):
    def setUp(self):
        self.dev("reset", {})
        super().setUp()

    def dev(self, call, body):
        request = urllib.request.Request(f"{self.server.origin}/dev/{call}", json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["result"]

    def test_an_upload_succeeds_after_a_fault(self):
        for fault in [{"status": 429}, {"status": 500}, {"status": 503}, {"cut_off": "before_call"}]:
            with self.subTest(fault):
                self.setUp()
                self.dev("faults", {"call": "upload_image", **fault})
                image = self.upload()
                self.assertEqual(len(self.requests), 2)
                self.assertEqual(self.ids(), [image.id])

    def test_an_answer_that_is_later_than_the_client_waits_is_asked_for_again(self):
        self.dev("faults", {"delay_ms": 5000})
        began = time.monotonic()
        self.client.with_options(timeout=0.5).images.v1.stats.get(account_id=ACCOUNT_ID)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(len(self.requests), 2)

    def test_whoever_asks_for_no_retries_gets_the_error(self):
        strict = self.connect(api_token=API_TOKEN, max_retries=0)
        self.dev("faults", {"status": 429})
        self.dev("faults", {"cut_off": "in_answer"})
        for kind in [cloudflare.RateLimitError, cloudflare.APIConnectionError]:
            with self.assertRaises(kind):
                strict.images.v2.list(account_id=ACCOUNT_ID)
