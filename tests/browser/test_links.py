"""Links to a photo and a model, sent from one visitor to another."""

import pytest

MODEL = "fer_sedense.restart_fer2013"


def test_a_link_can_be_sent(visit):
    visitor = visit(path=f"/?sample=grace_hopper&model={MODEL}")
    visitor.sees("U.S. Navy, public domain")
    visitor.sees(MODEL)
    visitor.page.get_by_role("button", name="Back to photographs").click()
    visitor.until("!location.search.includes('model')")
    assert "sample=grace_hopper" in visitor.page.url
    assert visit(path="/predict?sample=astronaut").sees("Eileen Collins (NASA") is None


@pytest.mark.parametrize(
    ("page", "photo"),
    [("explain", "Grad-CAM on the photo"), ("robustness", "As it came: the face as the network sees it")],
)
def test_a_teacher_sends_a_link_to_why(visit, page, photo):
    visitor = visit(path=f"/{page}?sample=grace_hopper&model={MODEL}")
    visitor.sees("learned FER2013's labels alone")
    visitor.page.get_by_role("img", name=photo).first.wait_for()
    assert "sample=grace_hopper" in visitor.page.url and MODEL in visitor.page.url
    # Streamlit asks for its own addresses below the page's first, which are not there.
    assert [problem for problem in visitor.problems if "404" not in problem] == []


def test_the_address_of_a_page_about_a_face_leads_back_to_it(visit):
    visitor = visit(path="/explain")
    visitor.until("location.search.includes('sample=astronaut')")
    visitor.page.get_by_role("button", name="Another photo").click()
    visitor.page.get_by_role("button", name="Grace Hopper (a sample)").click()
    visitor.until("location.search.includes('sample=grace_hopper')")


@pytest.mark.parametrize("page", ["", "explain", "robustness", "folder", "tradeoffs", "about"])
def test_a_link_that_leads_nowhere_says_so(visit, page):
    visitor = visit(path=f"/{page}?model=best")
    visitor.sees("The link names a model that is not here: best")
