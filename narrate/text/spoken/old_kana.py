"""Says texts in old kana orthography (before 1946) as they were meant: 云つた → 云った, だらう → だろう.

The rules are those of the table of old and new spellings in "Modern Kana Usage" (Cabinet Notification No. 1 of 1986):
the は row inside a word is said as the わ row, あう and えう as long vowels, and つ や ゆ よ are also the small ones.
The table goes from sounds to spellings. The other way is not always certain (は is a particle as well, つ may be つ),
so most rules ask what stands around a sign: the kanji of verbs with endings in は, or words that are written in kana.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from narrate.text.characters import HAN, HIRAGANA, KATAKANA

Found = tuple[int, int, str]

# Signs of either orthography, which the other one hardly has.
OLD = re.compile(
    "[ゐゑ]|[でま]せう|[たあかだで]らう|やう[にだでな]|つた[。、がのらり]|つて[ゐ、。しもは]|[言云思笑使](?:ふ|ひ[まなに、])"
)
NEW = re.compile("っ[たて]|[でま]しょう|[たあかだで]ろう|よう[にだでな]|[言云思笑使]う|[てで]い[るたま]|い[るた]。")
# A text in old orthography has so many of its signs, and so many times as many as of the new one.
FEWEST, TIMES = 3, 4
SAMPLE = 30_000

# Kanji of verbs whose endings are in the は row: 言はない, 言ひます, 言ふ, 言へば.
VERBS = (
    "言云謂思笑買逢遭遇逅吸拾使習洗違争追失救養味奪誘扱従随伴敬疑窺漂装祝占補狂縫這喰負請乞戦競慕諂酬償嫌"
    "厭貰叶"
    "適損伺襲祓賑給候賜訪沿添副揮奮震匂賄繕雇奉構揃整迷惑囲嗤咲合向払拂襲慣繞纏這匍掬救養養担憩宣呪咒詛咀"
    "遣漾掩蔽蓋覆弔吊酔醉食饗問歌謡唄唱舞会會恋願商住備換替変變考教答與与加支抑押堪耐終迎数數伝傳捕訴憂控鍛衰仕蓄貯拵"
    "啣銜咥用"
)
V = "".join(sorted(set(VERBS)))
# Some of them are nouns as well: 歌は is more often "the song (topic)". These need a surer ending.
NOUNS = "歌問会會舞恋願食商合住味数數仕向変變唄"
STRONG = "".join(sorted(set(V) - set(NOUNS)))
NUMERALS = "一二三四五六七八九幾"

O_ROW = dict(zip("かがさざただなばまらはわ", "こごそぞとどのぼもろおお", strict=True))
WA_ROW = dict(zip("はひふへほ", "わいうえお", strict=True))
SMALL = str.maketrans("つやゆよツヤユヨアイエオ", "っゃゅょッャュョァィェォ")

# Stems of verbs that are often written in kana.
KANA_VERBS = (
    "い おも わら つか しま もら ちが なら はら むか うたが したが うかが うしな たま あら まよ かよ よそほ "
    "おほ にほ さそ "
    "さら きら ねが うた あつか やと そろ ただよ さまよ くる あらが いこ うば おぎな おこな かなしま かな "
    "さから たたか ためら "
    "つくろ とむら ともな はから ふるま まかな みなら やしな ゆは あぢは まとは うる よば とと ぬぐ いは まじな"
)
KANA_LOWER = (
    "かんが をし こた つた かま あた そな おさ かぞ くは たくは とな とら なが ひか かか こしら たと うつた つかま "
    "ととの あ とりあ おとろ しつら さか ささ おぼ"
)
# Words in kana: what is written, and what is said.
WORDS = """
いはゆる いわゆる いはば いわば いはく いわく いはれ いわれ いはず いわず いはん いわん
いへば いえば いへど いえど いへる いえる いひ いい さへ さえ うへ うえ
おまへ おまえ てまへ てまえ なまへ なまえ まへ まえ ゆくへ ゆくえ ひとへ ひとえ
とりあへず とりあえず あへて あえて あへ あえ たとへ たとえ たとひ たとい さうらふ そうろう
きのふ きのう けふ きょう ゆふべ ゆうべ ゆふがた ゆうがた ゆふぐれ ゆうぐれ あふぐ あおぐ
あふぎ あおぎ あふむ あおむ あふい あおい たふれ たおれ たふす たおす たふし たおし
たふと とうと いきほひ いきおい にほひ におい にほふ におう もよほ もよお うるほ うるお
よそほ よそお いとほ いとお ほほゑ ほほえ おほ おお かほを かおを かほが かおが
かほに かおに かほは かおは すなはち すなわち にはかに にわかに あらはれ あらわれ あらはし あらわし
あらはす あらわす くはへ くわえ くははる くわわる くははり くわわり くはし くわし うはさ うわさ
たはむ たわむ やはらか やわらか きはめ きわめ きはま きわま きはど きわど わざはひ わざわい
さいはひ さいわい なりはひ なりわい しあはせ しあわせ まじはり まじわり かたはら かたわら うるはし うるわし
いたはり いたわり いたはる いたわる のろはし のろわし けはひ けはい けはし けわし あはれ あわれ
あはせ あわせ あはた あわた かはい かわい かはいさう かわいそう さはり さわり さはる さわる
さはつ さわっ さはぎ さわぎ さはが さわが つひ つい さつきの さっきの さつきか さっきか
しよげ しょげ ひつきやう ひっきょう つつけんどん つっけんどん あひだ あいだ あひて あいて あひか あいか
たがひ たがい こひし こいし わづらひ わずらい はひる はいる はひつ はいっ はひら はいら
はひり はいり ひたひ ひたい たぐひ たぐい をかしい おかしい をかしく おかしく をかしさ おかしさ
をかしな おかしな をんな おんな をとこ おとこ をさな おさな をぢ おじ をばさん おばさん
まうす もうす まうし もうし まをす もうす かうして こうして かうい こうい かうなる こうなる
かうなつ こうなっ いらつしや いらっしゃ おつしや おっしゃ つしやる っしゃる おもちや おもちゃ しやべ しゃべ
しやが しゃが おとつさん おとっさん おつかさん おっかさん いつしよ いっしょ いつさい いっさい いつしん いっしん
まつすぐ まっすぐ まつさを まっさお まつさき まっさき まつくら まっくら まつくろ まっくろ まつしろ まっしろ
まつか まっか けつして けっして ちやうど ちょうど てうど ちょうど どうせう どうしょう まはり まわり
まはる まわる まはし まわし まはす まわす まはつ まわっ まはさ まわさ まはら まわら
まはれ まわれ かはり かわり かはる かわる かはつ かわっ かはら かわら かはし かわし
かはす かわす こはい こわい こはく こわく こはれ こわれ こはし こわし こはす こわす
こはが こわが こはご こわご とほく とおく とほい とおい とほり とおり とほる とおる
とほつ とおっ とほし とおし とほす とおす とほさ とおさ なほ なお しをれ しおれ
あをざ あおざ あをい あおい あをく あおく 横たは 横たわ 行はれ 行われ 行はな 行わな 行はず 行わず
向かひ 向かい 会はな 会わな 逢はな 逢わな 振はな 振るわな 振はざ 振るわざ 振はず 振るわず さつさ さっさ
はづか はずか 一きは ひときわ 呆つ気 呆っ気 酔つ払 酔っ払 酔つぱ 酔っぱ 攀ぢ 攀じ
"""
# A word is not one of these after what is written here: どこかへ, いまは, ここは, こんなほん.
NOT_AFTER = {
    "はひ": f"{HAN}でとれ",
    "こは": "こそど",
    "とほ": "こ",
    "なほ": "ん",
    "まは": "い",
    "かへ": "こつれ",
    "あへ": HIRAGANA,
    "まつか": HIRAGANA,
}


def _words() -> dict[str, str]:
    row = WORDS.split()
    found = dict(zip(row[::2], row[1::2], strict=True))
    for stem in KANA_VERBS.split():
        said = "".join(WA_ROW.get(sign, sign) if at else sign for at, sign in enumerate(stem))
        found |= {stem + sign: said + WA_ROW[sign] for sign in "ふひへ" if stem + sign != "はらへ"}
        found |= {f"{stem}は{end}": f"{said}わ{end}" for end in "なずぬねせればむん"}
        found[f"{stem}はう"] = f"{said}おう"
    for stem in KANA_LOWER.split():
        said = "".join(WA_ROW.get(sign, sign) if at else sign for at, sign in enumerate(stem)).replace("をし", "おし")
        found |= {f"{stem}へ{end}": f"{said}え{end}" for end in "るてたなれよずまさつ、。"}
    for end in "つりるしすさらろせれ":
        found[f"かへ{end}"] = f"かえ{end.translate(SMALL) if end == 'つ' else end}"
    return found


WORD = _words()
_GUARDED = {
    word: f"(?<![{before}]){word}" for word in WORD for start, before in NOT_AFTER.items() if word.startswith(start)
}
_WORD = "|".join(_GUARDED.get(word, word) for word in sorted(WORD, key=len, reverse=True))

# Each rule is a pattern; what it finds is changed by the function of the same name in SAY.
PATTERNS = {
    "word": _WORD,
    "yo": f"(?<![{HAN}])[きぎしじちぢひびみり]やう|せう|てうど|[きしちりに]ゆう|しう(?=[てなご])"
    "|(?<=[でま])しよう|(?<=[つ一])しよ",
    "ya": "ちや|[ぢじ]や|(?<=[けこそすれどわ])りや|(?<=な)きや|にや(?=なら|あ)"
    "|ちよ(?=[ついうろんこ])|[ぎひびぴ]よ(?=[ろいつんこ])|きよ(?=[ろと])",
    "verb_o": f"(?<=[{V}])はう",
    "u": f"らう|たう|さう|やう|はう|(?<=死)なう|(?<=[{HAN}])[がばま]う|(?<![向{HIRAGANA}])かう"
    "|(?<=[はがをにもとで、])かう",
    "verb_wa": f"(?<=[{STRONG}])は(?=[なねずぬせればむんしすざ])|(?<=[{NOUNS}])は(?=[ずぬればせ])",
    "verb": f"(?<=[{V}])[ひふ]|(?<=[{STRONG}])[へほ]|(?<=[{NOUNS}])へ(?=[るばたてどますよなら])",
    "noun": f"(?<=[{HAN}])ひ(?=[まなにてで、。をがもはの出込直合掛始返立」]|$)|(?<=[{HAN}])ふ(?=[。、」]|$)",
    "small": f"(?<=[{HAN}])(?<![{NUMERALS}])つ(?=[たてちぱ])|(?<=[真引突追掻吹])つ(?=[{HAN}つかこ])"
    f"|(?<=[{HIRAGANA}])(?<![はがをにもと、。「]か)(?<!^か)つ(?=て)"
    f"|(?<=[{HIRAGANA}])つ(?=た(?![へはひふ]))|(?<=[」』])つ(?=て)"
    f"|(?<=[{HIRAGANA}{HAN}])つ(?=[ぱぴぷぺぽ])"
    f"|(?<=[{HIRAGANA}])つ(?=かり|きり|くり|そり|しり|ちり|ちや|しや|こん|こむ)|(?<=[あこそど])つ(?=ち)"
    "|(?<=[あきもずやぢじそさほはふぱぐどぬよにざ屹])つ(?=と)|(?<=と)つ(?=さ)|(?<=ひ)つ(?=こ[むめん])|(?<=う)つ(?=とり)|(?<=首)つ(?=玉)"
    "|(?<=[「『][あえおはわきや])つ(?=[」』！!、])",
    "sign": "[ゐゑヰヱ]",
    "katakana": f"(?<!ドイ)(?<!ワル)(?<!シャ)(?<!シヤ)(?<=[{KATAKANA}])"
    "ツ(?=[カキクケコサシスセソタチテトフパピプペポグドブズジヂ])"
    f"|(?<=フ)[アエオ]|(?<=[キシチニヒミリギジヂビピ])[ユヨ]|(?<=[キチヒギヂピ])ヤ|(?<=[シニミリジビ])ヤ(?=[{KATAKANA}])",
}
RULES = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in PATTERNS.items()))


def _small_after_first(text: str) -> str:
    return text[0] + text[1:].translate(SMALL)


def _long(text: str) -> str:
    """Say やう as よう, らう as ろう."""
    return {"やう": "よう", "はう": "ほう"}.get(text) or O_ROW[text[0]] + "う"


def _yo(text: str) -> str:
    if text in ("せう", "てうど"):
        return {"せう": "しょう", "てうど": "ちょうど"}[text]
    if text == "しう":
        return "しゅう"
    return text[0] + ("ょう" if text[1:] in ("やう", "よう") else text[1:].translate(SMALL))


SAY: dict[str, Callable[[str], str]] = {
    "word": lambda text: WORD[text],
    "yo": _yo,
    "ya": _small_after_first,
    "verb_o": lambda text: "おう",
    "u": _long,
    "verb_wa": lambda text: "わ",
    "verb": lambda text: WA_ROW[text],
    "noun": lambda text: WA_ROW[text],
    "small": lambda text: "っ",
    "sign": lambda text: {"ゐ": "い", "ゑ": "え", "ヰ": "イ", "ヱ": "エ"}[text],
    "katakana": lambda text: text.translate(SMALL),
}


def is_old(texts: Iterable[str]) -> bool:
    """Return True for a book in old kana orthography, by counting words of both in its first characters (SAMPLE)."""
    old = new = read = 0
    for text in texts:
        if read > SAMPLE:
            break
        read += len(text)
        old += len(OLD.findall(text))
        new += len(NEW.findall(text))
    return old >= FEWEST and old >= TIMES * new


def old_spellings(text: str) -> list[Found]:
    """Return (start, end, what to say) for each old spelling in a text, in order and disjoint."""
    found = []
    for match in RULES.finditer(text):
        said = SAY[match.lastgroup or ""](match[0])
        if said != match[0]:
            found.append((match.start(), match.end(), said))
    return found


def modern(text: str) -> str:
    """Return a text in the spelling that voices read rightly."""
    parts: list[str] = []
    at = 0
    for start, end, said in old_spellings(text):
        parts += text[at:start], said
        at = end
    return "".join(parts) + text[at:]


READING = re.compile(
    "(?P<kwa>[くぐ]わ(?=[いうんつ]|$))|(?P<yo>[きぎしじちぢにひびみり]やう|[けせてねへめれげぜでべ][うふ])"
    "|(?P<yu>[きしちにひみりぎじ]ふ)|(?P<ya>(?<=[きぎしじちぢにひびみり])[やゆよ](?=[うくつん]|$))"
    "|(?P<u>[かがさざただなばまらわ][うふ](?=[かきくけこさしすせそたちつてとん]|$))"
    "|(?P<wa>(?<=.)[はひふへほ](?![んつくうい]|やう))"
)
YO = dict(zip("けせてねへめれげぜでべ", "きしちにひみりぎじぢび", strict=True))
# The rules of the text that hold in readings as well.
SOUNDS: dict[str | None, Callable[[str], str]] = {name: SAY[name] for name in ("small", "katakana")}
# A reading may begin with a word in kana that has so many signs.
SHORTEST_WORD = 3
KEPT = ("はは", "ほほ", "やはり", "あひる", "てのひら", "あふれ", "けはい")


def modern_reading(reading: str, base: str) -> str:
    """Return the reading of a word (`base`) in new orthography: なりはひ → なりわい, くわんけい → かんけい.

    `base` tells Chinese readings, which keep は at the beginning of their second character, from Japanese ones.
    """
    if reading.startswith(KEPT) or len(reading) < 2:
        return reading

    word = RULES.match(reading)
    if word and word.lastgroup == "word" and word.end() >= SHORTEST_WORD:
        reading = WORD[word[0]] + reading[word.end() :]

    def said(match: re.Match[str]) -> str:
        text = match[0]
        match match.lastgroup:
            case "kwa":
                return "か" if text[0] == "く" else "が"
            case "yo":
                return (YO[text[0]] if text[0] in YO else text[0]) + "ょう"
            case "yu":
                return text[0] + "ゅう"
            case "ya":
                return text.translate(SMALL)
            case "u":
                return O_ROW[text[0]] + "う" if len(base) > 1 or text[1] == "う" else text[0] + "う"
        return WA_ROW[text]

    small = RULES.sub(
        lambda match: SOUNDS[match.lastgroup](match[0]) if match.lastgroup in SOUNDS else match[0], reading
    )
    return READING.sub(said, small)
