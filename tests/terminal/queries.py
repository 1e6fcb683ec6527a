"""The questions that programs ask a terminal, and the one answer that each of them gets (24 rows, 80 columns)."""

from __future__ import annotations

from typing import Final

# Every query that the agents and common programs send, and the answer. What a terminal should not answer has b"".
ANSWERS: Final = {
    b"\x1b[c": b"\x1b[?62;22c",
    b"\x1bZ": b"\x1b[?62;22c",
    b"\x1b[>c": b"\x1b[>1;0;0c",
    b"\x1b[=c": b"\x1bP!|00000000\x1b\\",
    b"\x1b[5n": b"\x1b[0n",
    b"\x1b[3;7H\x1b[6n": b"\x1b[3;7R",
    b"\x1b[3;7H\x1b[?6n": b"\x1b[?3;7R",
    b"\x1b[4;9r\x1b[?6h\x1b[2;3H\x1b[?6n\x1b[?6n": b"\x1b[?2;3R\x1b[?2;3R",  # within the margins, as CPR
    b"\x1b[?2026$p": b"\x1b[?2026;2$y",
    b"\x1b[?2004h\x1b[?2004$p": b"\x1b[?2004;1$y",
    b"\x1b[4$p": b"\x1b[4;2$y",
    b"\x1b[?9999$p": b"\x1b[?9999;0$y",
    b"\x1b[>q": b"\x1bP>|attn\x1b\\",
    b"\x1b[>0q": b"\x1bP>|attn\x1b\\",
    b"\x1b[?u": b"\x1b[?0u",
    b"\x1b[>7u\x1b[?u": b"\x1b[?7u",
    b"\x1b[14t": b"\x1b[4;384;640t",
    b"\x1b[16t": b"\x1b[6;16;8t",
    b"\x1b[18t": b"\x1b[8;24;80t",
    b"\x1b[?996n": b"\x1b[?997;1n",
    b"\x1b]4;1;?\x07": b"\x1b]4;1;rgb:cccc/6666/6666\x07",
    b"\x1b]10;?\x1b\\": b"\x1b]10;rgb:d4d4/d4d4/d4d4\x1b\\",
    b"\x1b]11;?\x07": b"\x1b]11;rgb:1e1e/1e1e/1e1e\x07",
    b"\x1b]12;?\x1b\\": b"\x1b]12;rgb:d4d4/d4d4/d4d4\x1b\\",
    b"\x1b]11;#0d1117\x07\x1b]11;?\x07": b"\x1b]11;rgb:0d0d/1111/1717\x07",
    b"\x1bP$qm\x1b\\": b"\x1bP1$r0m\x1b\\",
    b"\x1bP$q q\x1b\\": b"\x1bP1$r2 q\x1b\\",
    b"\x1b]2;secret\x07\x1b[21t": b"",
    b"\x1b]52;c;?\x07": b"",
    b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\": b"",
    b"\x1bP+q544e\x1b\\": b"\x1bP1+r544E=787465726D2D323536636F6C6F72\x1b\\",
    b"\x1bP+q524742;58585858\x1b\\": b"\x1bP1+r524742=38\x1b\\",
    b"\x1bP+q4d73\x1b\\": b"\x1bP0+r4D73\x1b\\",
    b"\x1b[2*x\x1b[x\x05\x1b[11t\x1b[13t\x1b[19t\x1b[20t\x1b[1;1;1;1;1;1*y": b"",
    b"\x1b]4;0;?;7;?\x07": b"\x1b]4;0;rgb:1d1d/1f1f/2121\x07\x1b]4;7;rgb:c5c5/c8c8/c6c6\x07",
    b"\x1b]10;?;?\x07": b"\x1b]10;rgb:d4d4/d4d4/d4d4\x07\x1b]11;rgb:1e1e/1e1e/1e1e\x07",
    b"\x1bP$qr\x1b\\": b"\x1bP1$r1;24r\x1b\\",
    b"\x1b]66;w=2;ab\x07\x1b[6n": b"\x1b[1;1R",  # kitty's text sizing is not there: the cursor did not move
    b"\x1b]99;i=1:p=?;\x1b\\\x1b]1337;Capabilities\x07\x1b]1337;ReportCellSize\x07": b"",
}

_KITTY: Final = b"\x1b[?0u"
_DA1: Final = b"\x1b[?62;22c"
_FG: Final = b"\x1b]10;rgb:d4d4/d4d4/d4d4"
_BG: Final = b"\x1b]11;rgb:1e1e/1e1e/1e1e"
_ST: Final = b"\x1b\\"

# What programs ask at their start in one go, as they were recorded or as their sources have it, and what they get.
STARTS: Final = {
    "codex 0.169": (
        b"\x1b[?2004h\x1b[>4;0m\x1b[>7u\x1b[?1004h\x1b[?u\x1b[c\x1b[6n\x1b]10;?\x1b\\\x1b]11;?\x1b\\",
        b"\x1b[?7u" + _DA1 + b"\x1b[1;1R" + _FG + _ST + _BG + _ST,
    ),
    "claude 2.1": (
        b"\x1b7\x1b[r\x1b8\x1b[?25h\x1b[?25l\x1b[?2004h\x1b[?1004h\x1b[?2031h\x1b[>0q\x1b[c\x1b[?2026$p\x1b[c",
        b"\x1bP>|attn" + _ST + _DA1 + b"\x1b[?2026;2$y" + _DA1,
    ),
    "copilot 1.0": (
        b"\x1b[?u\x1b[?2026$p\x1b[?12$p\x1b[?1007$p\x1b[>q\x1b]4;1;?\x07\x1b]10;?\x07\x1b]11;?\x07\x1b[?996n",
        _KITTY + b"\x1b[?2026;2$y\x1b[?12;2$y\x1b[?1007;1$y\x1bP>|attn" + _ST
        + b"\x1b]4;1;rgb:cccc/6666/6666\x07" + _FG + b"\x07" + _BG + b"\x07\x1b[?997;1n",
    ),
    "opencode 1.18": (
        b"\x1b[>0q\x1b[?1016$p\x1b[?2027$p\x1b[?2031$p\x1b[?1004$p\x1b[?2004$p\x1b[?2026$p\x1b]66;w=1; \x1b\\\x1b[6n"
        b"\x1b]1337;Capabilities\x1b\\\x1b]99;i=opentui:p=?;\x1b\\\x1b_Gi=31337,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c",
        b"\x1bP>|attn" + _ST + b"".join(b"\x1b[?%d;2$y" % mode for mode in (1016, 2027, 2031, 1004, 2004, 2026))
        + b"\x1b[1;1R" + _DA1,
    ),
    "fish 4": (
        b"\x1b[?u\x1bP+q696e646e\x1b\\\x1bP+q71756572792d6f732d6e616d65\x1b\\\x1b[>0q\x1b[0c",
        _KITTY + b"\x1bP1+r696E646E=5C455B257031256453" + _ST + b"\x1bP>|attn" + _ST + _DA1,
    ),
    "neovim 0.11": (
        b"\x1b[?69$p\x1b[?2026$p\x1b[?2027$p\x1b[?2031$p\x1b[?2048$p\x1b[?u\x1bP+q4d73\x1b\\\x1bP$qm\x1b\\\x1b]11;?\x07\x1b[5n",
        b"".join(b"\x1b[?%d;2$y" % mode for mode in (69, 2026, 2027, 2031, 2048)) + _KITTY
        + b"\x1bP0+r4D73" + _ST + b"\x1bP1$r0m" + _ST + _BG + b"\x07\x1b[0n",
    ),
    "vim 9": (
        b"\x1b[>c\x1b]10;?\x07\x1b]11;?\x07\x1bP$q q\x1b\\\x1b[?12$p\x1b[6n",
        b"\x1b[>1;0;0c" + _FG + b"\x07" + _BG + b"\x07\x1bP1$r2 q\x1b\\\x1b[?12;2$y\x1b[1;1R",
    ),
}  # fmt: skip
