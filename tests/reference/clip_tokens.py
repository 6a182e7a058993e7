"""CLIP's tokens of unusual texts by open_clip's tokenizer. Prints where Hugging Face's tokenizer differs."""

import gzip
import json
import shutil

from open_clip.tokenizer import SimpleTokenizer, default_bpe
from transformers import CLIPTokenizer

from places import HERE, check, path_of

MERGES = HERE.parents[1] / "www/tokenizers/clip.txt.gz"

TEXTS = [
    "a photo of a cat",
    "A Photo Of A CAT.",
    "",
    " ",
    "  several   spaces\tand\ttabs\nand lines\r\n",
    "no-break\u00a0space, thin\u2009space and\u3000wide space",
    "don't, won't, we're, they've, I'm, he'll, she'd, it's",
    "DON'T SHOUT, IT'S LATE",
    "the 3 dogs of 2024, 1,000.50 and 12345678",
    "!!! ??? ... --- ___ ***",
    "semi;colon:colon,comma (brackets) [square] {curly} <angle>",
    "e-mail me@example.org about https://example.org/a?b=c&d=e",
    "50% off & more — £20 or 30€",
    "caf\u00e9, na\u00efve, \u00fcber, \u00e5ngstr\u00f6m, \u0142\u00f3d\u017a",
    "cafe\u0301 and nai\u0308ve, composed of two",
    "stra\u00dfe STRASSE \u1e9e",
    "\u0130stanbul and I\u0131",
    "\u4e00\u5f20\u732b\u7684\u7167\u7247",
    "\u732b\u306e\u5199\u771f\u3092\u64ae\u308b",
    "\uace0\uc591\uc774 \uc0ac\uc9c4",
    "\u0444\u043e\u0442\u043e\u0433\u0440\u0430\u0444\u0438\u044f \u043a\u043e\u0448\u043a\u0438",
    "\u03c6\u03c9\u03c4\u03bf\u03b3\u03c1\u03b1\u03c6\u03af\u03b1 \u03bc\u03b9\u03b1\u03c2 \u03b3\u03ac\u03c4\u03b1\u03c2",
    "\u0635\u0648\u0631\u0629 \u0642\u0637\u0629",
    "\u05ea\u05de\u05d5\u05e0\u05d4 \u05e9\u05dc \u05d7\u05ea\u05d5\u05dc",
    "\u092c\u093f\u0932\u094d\u0932\u0940 \u0915\u0940 \u0924\u0938\u094d\u0935\u0940\u0930",
    "\U0001f431 a cat \U0001f408\u200d\u2b1b and flags \U0001f1eb\U0001f1f7",
    "\u2764\ufe0f \u2603 \u2708",
    "\u201ccurly\u201d \u2018quotes\u2019 and \u2014 dashes \u2013 \u2026",
    "it\u2019s a curly apostrophe",
    "&amp; &lt;b&gt; &quot;quoted&quot; &#39;it&#39;s&#39;",
    "&amp;amp; twice",
    "\ufb01ne \ufb02uffy o\ufb03ce",
    "\uff26\uff35\uff2c\uff2c\uff37\uff29\uff24\uff34\uff28 \uff11\uff12\uff13",
    "x\u00b2 + y\u00b3 = \u00bd \u2167 \u2462",
    "under_score CamelCase kebab-case snake_case",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "'quoted' ''double'' 's 'T 'RE",
    "a <|endoftext|> in the middle",
    "\u00adsoft\u00adhyphen and zero\u200bwidth",
    "tab\tseparated\vvertical\fform",
    "mixed \u65e5\u672c and English\u8a9e",
    "H\u2082O, CO\u2082, 10\u207b\u2076",
    "an artist's rendition of a spaceship; oil on canvas (1889)",
]


def hugging_face():
    lines = gzip.open(default_bpe()).read().decode("utf-8").split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    encoder = SimpleTokenizer().encoder
    names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    return CLIPTokenizer(vocab={names.get(piece, piece): id for piece, id in encoder.items()}, merges=merges)


def main():
    MERGES.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(default_bpe(), MERGES)
    tokenizer, other = SimpleTokenizer(), hugging_face()
    start, end = tokenizer.sot_token_id, tokenizer.eot_token_id
    check((start, end) == (49406, 49407), "the start and end tokens differ from CLIP's")
    entries = []
    for text in TEXTS:
        ids = [start, *tokenizer.encode(text), end]
        hugging = other(text)["input_ids"]
        if ids != hugging:
            print(f"{text!r}: {ids} by open_clip, {hugging} by Hugging Face")
        entries.append(dict(text=text, tokens=ids))
    path_of("clip_tokens.json").write_text("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n")


if __name__ == "__main__":
    main()
