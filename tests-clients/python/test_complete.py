"""Every method of the published client's Images is called somewhere in this suite."""

import inspect
import pathlib
import unittest

import cloudflare
from cloudflare._resource import SyncAPIResource


def methods(resource, path):
    """Yields the methods of a resource and of those below it, by the path that a program writes."""
    for name in dir(type(resource)):
        member = inspect.getattr_static(resource, name)
        if name.startswith(("_", "with_")):
            continue
        if inspect.isfunction(member):
            yield f"{path}.{name}"
        else:
            child = getattr(resource, name)
            if isinstance(child, SyncAPIResource):
                yield from methods(child, f"{path}.{name}")


class CompleteTest(unittest.TestCase):
    def test_every_method_of_the_client_is_called_in_this_suite(self):
        known = list(methods(cloudflare.Cloudflare(api_token="any").images, "images"))
        self.assertIn("images.v1.create", known)
        self.assertIn("images.v2.direct_uploads.create", known)
        suite = "".join(file.read_text("utf-8") for file in pathlib.Path(__file__).parent.glob("*.py"))
        self.assertEqual([name for name in known if f"client.{name}(" not in suite], [])
