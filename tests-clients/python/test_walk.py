"""A walk over 2,500 images by tokens: nothing twice, nothing missing."""

import concurrent.futures
import json
import unittest

from support import ClientTestCase

COUNT = 2_500
AT_ONCE = 16


class Walk(ClientTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        put = cls("walk")
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            uploads = [
                pool.submit(put.upload, id=f"walk/{n}", creator=f"c{n % 10}", metadata=json.dumps({"n": n}))
                for n in range(COUNT)
            ]
        for upload in uploads:
            upload.result()

    def walk(self, **params):
        pages, token = [], None
        while True:
            page = self.list(continuation_token=token, **params)
            pages.append([image.id for image in page.images])
            token = page.continuation_token
            if not token:
                return pages

    def test_both_directions(self):
        descending, ascending = self.walk(), self.walk(sort_order="asc")
        self.assertEqual([len(page) for page in descending], [1000, 1000, 500])
        descending, ascending = sum(descending, []), sum(ascending, [])
        self.assertEqual(descending, ascending[::-1])
        self.assertEqual(len(descending), COUNT)
        self.assertEqual(set(descending), {f"walk/{n}" for n in range(COUNT)})

    def test_filtered_and_in_small_pages(self):
        everything = sum(self.walk(), [])
        found = sum(self.walk(creator="c3", meta={"n[gte]": 1000, "n[lt]": 2000}, per_page=7), [])
        expected = {f"walk/{n}" for n in range(1003, 2000, 10)}
        self.assertEqual(found, [image_id for image_id in everything if image_id in expected])


if __name__ == "__main__":
    unittest.main()
