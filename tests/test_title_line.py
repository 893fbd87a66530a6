"""The first line of a text that names the book and its author, and lines that only look like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.text.readers import read_bytes
from narrate.text.structure.title_line import Named, author_of, named_in


@pytest.mark.parametrize(
    ("line", "title", "author"),
    [
        ("[西游记 / 吴承恩（明） 著 ]", "西游记", "吴承恩"),
        ("【红楼梦／曹雪芹 [清] 著】", "红楼梦", "曹雪芹"),
        ("水浒传 （明）施耐庵 著", "水浒传", "施耐庵"),
        ("水浒传　〔明〕 施耐庵 撰", "水浒传", "施耐庵"),
        ("水浒传 施耐庵 （明） 著", "水浒传", "施耐庵"),
        ("老人与海 | [美] 海明威 著", "老人与海", "海明威"),
        ("《老人与海》海明威著", "老人与海", "海明威"),
        ("《西游记》作者：吴承恩（明）", "西游记", "吴承恩"),
        ("书名：西游记 作者：吴承恩", "西游记", "吴承恩"),
        ("吾輩は猫である　夏目漱石 著", "吾輩は猫である", "夏目漱石"),
        ("『吾輩は猫である』夏目漱石著", "吾輩は猫である", "夏目漱石"),
        ("홍길동전 / 허균 지음", "홍길동전", "허균"),
        ("《三国演义》", "三国演义", ""),
        ("书名：《三国演义》", "三国演义", ""),
    ],
)
def test_a_line_that_names_the_book(line: str, title: str, author: str) -> None:
    assert named_in(line) == Named(title, author)


@pytest.mark.parametrize(
    "line",
    [
        "他昨天读了一本书，是鲁迅著",
        "第一回 灵根育孕源流出",
        "名著",
        "西游记",
        "[西游记]",
        "他在家工作",
        "It was late. 作者：",
        "It was late.",
        "著",
        "作者：吴承恩",
        "",
    ],
)
def test_a_line_that_does_not(line: str) -> None:
    assert named_in(line) == Named()


def test_a_second_name_in_brackets_is_no_dynasty() -> None:
    assert author_of("鲁迅（周树人）") == "鲁迅（周树人）"
    assert author_of("（明）") == "（明）"


def test_a_book_has_the_title_of_its_first_line() -> None:
    document = read_bytes(
        "\n　[西游记 / 吴承恩（明） 著 ]\n\n上卷 第一回 灵根\n\n盖闻天地之数。\n".encode(), "xiyou.txt"
    )
    assert (document.title, document.author) == ("西游记", "吴承恩")


def test_the_line_of_an_author_has_no_dynasty_either() -> None:
    document = read_bytes("《西游记》\n作者：吴承恩（明）\n\n盖闻天地之数。\n".encode(), "xiyou.txt")
    assert (document.title, document.author) == ("西游记", "吴承恩")


@given(st.text(alphabet="西游记著作者：/ 《》[]（）明。a", max_size=90))
def test_what_is_named_stands_in_the_line(line: str) -> None:
    named = named_in(line)
    assert named.title in line
    assert named.author in line
    assert named.title == named.title.strip()
