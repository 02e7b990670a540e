"""The server answers nothing that its own OpenAPI document does not say, whatever it is asked: Schemathesis tries."""

import os
import subprocess
import sys
import unittest

from darkroom_server import ACCOUNT_HASH, ACCOUNT_ID, API_TOKEN
from support import ClientTestCase

CONFIGURATION = os.path.join(os.path.dirname(__file__), "openapi.toml")

# What Schemathesis expects of any API and ours does not promise:
EXCLUDED_CHECKS = (
    # Missing credentials are 400 with Cloudflare, not 401 (reference: api §1.2).
    "ignored_auth",
    "missing_required_header",
    # Unknown parameters are ignored (reference: api §1.3), and in a form every value is a text.
    "negative_data_rejection",
    # Some rules no schema can say: whose token, how far ahead, which ids may be private.
    "positive_data_acceptance",
)

# The same questions in every run; another seed asks others.
SEED = os.environ.get("DARKROOM_TEST_SEED", "1")
EXAMPLES = os.environ.get("DARKROOM_TEST_EXAMPLES", "25")


class OpenApiTest(ClientTestCase):
    def test_no_answer_is_outside_the_document(self):
        batch_token = self.client.get(
            f"/accounts/{ACCOUNT_ID}/images/v1/batch_token", cast_to=object
        )["result"]["token"]
        draft = self.client.images.v2.direct_uploads.create(account_id=ACCOUNT_ID)
        finished = subprocess.run(
            [
                sys.executable,
                "-m",
                "schemathesis.cli",
                "--config-file",
                CONFIGURATION,
                "run",
                f"{self.server.origin}/openapi.json",
                "--checks=all",
                f"--exclude-checks={','.join(EXCLUDED_CHECKS)}",
                f"--max-examples={EXAMPLES}",
                f"--seed={SEED}",
                "--continue-on-failure",
                "--no-color",
            ],
            cwd=self.server.folder,
            env={
                **os.environ,
                "ACCOUNT_ID": ACCOUNT_ID,
                "ACCOUNT_HASH": ACCOUNT_HASH,
                "API_TOKEN": API_TOKEN,
                "BATCH_TOKEN": batch_token,
                "DRAFT_ID": draft.id,
            },
            capture_output=True,
            text=True,
        )
        self.assertEqual(finished.returncode, 0, f"{finished.stdout}\n{finished.stderr}")
        # What was refused at the door would have tried nothing.
        self.assertNotIn("Authentication failed", finished.stdout)


if __name__ == "__main__":
    unittest.main()
