"""Writes src/attn/terminal/_ghostty_abi.py: the part of libghostty-vt's C interface that attn uses.

Out-of-line ABI mode of cffi: the declarations are parsed here, at build time, so that a worker's import costs 3 ms
instead of the 180 ms that pyghostty's own (complete, inline) declarations take. No compiler is needed.
Enumerations are plain ints; their values stand in attn.terminal.binding, and tests/terminal/test_binding.py compares
both files with what the pinned pyghostty declares.

usage: python tools/build_ghostty_abi.py
"""

from __future__ import annotations

from pathlib import Path

from cffi import FFI

TARGET = Path(__file__).parents[1] / "src/attn/terminal/_ghostty_abi.py"

DECLARATIONS = """
typedef void* GhosttyTerminal;
typedef void* GhosttyFormatter;
typedef void* GhosttyKeyEncoder;
typedef void* GhosttyKeyEvent;

typedef struct { const uint8_t* ptr; size_t len; } GhosttyString;
typedef struct { uint8_t r; uint8_t g; uint8_t b; } GhosttyColorRgb;
typedef struct { uint16_t mode; bool value; } GhosttyTerminalModeConfig;
typedef struct { uint16_t rows; uint16_t columns; uint32_t cell_width; uint32_t cell_height; } GhosttySizeReportSize;

typedef bool (*GhosttyWriterFn)(void* userdata, const uint8_t* data, size_t len);
typedef struct { GhosttyWriterFn write; void* userdata; } GhosttyWriter;

/* cffi cannot pass a union by value in ABI mode. GhosttyPoint is larger than 16 bytes, so both x86-64 and arm64 pass
   it in memory, and a struct of the same layout in the union's place has the same calling convention. */
typedef struct { uint16_t x; uint32_t y; uint64_t padding; } GhosttyPointValue;
typedef struct { int tag; GhosttyPointValue value; } GhosttyPoint;
typedef struct { size_t size; void* node; uint16_t x; uint16_t y; } GhosttyGridRef;

typedef struct { size_t size; bool cursor; bool style; bool hyperlink; bool protection; bool kitty_keyboard;
                 bool charsets; } GhosttyFormatterScreenExtra;
typedef struct { size_t size; bool palette; bool modes; bool scrolling_region; bool tabstops; bool pwd; bool keyboard;
                 GhosttyFormatterScreenExtra screen; } GhosttyFormatterTerminalExtra;
typedef struct { size_t size; int emit; bool unwrap; bool trim; GhosttyFormatterTerminalExtra extra;
                 const void* selection; } GhosttyFormatterTerminalOptions;

typedef struct { GhosttyString mime; GhosttyString data; } GhosttyClipboardContent;
typedef struct { size_t size; int result; bool remember; } GhosttyClipboardWriteReply;
typedef struct GhosttyClipboardWrite GhosttyClipboardWrite;
typedef void (*GhosttyClipboardWriteReplyFn)(const GhosttyClipboardWrite*, const GhosttyClipboardWriteReply*);
struct GhosttyClipboardWrite { size_t size; int location; const GhosttyClipboardContent* contents; size_t contents_len;
    GhosttyString name; bool granted; bool can_remember; const void* ctx; GhosttyClipboardWriteReplyFn reply; };

typedef void (*GhosttyTerminalBellFn)(GhosttyTerminal, void*);
typedef void (*GhosttyTerminalTitleChangedFn)(GhosttyTerminal, void*);
typedef void (*GhosttyTerminalPwdChangedFn)(GhosttyTerminal, void*);
typedef void (*GhosttyTerminalWritePtyFn)(GhosttyTerminal, void*, const uint8_t*, size_t);
typedef bool (*GhosttyTerminalColorSchemeFn)(GhosttyTerminal, void*, int*);
typedef bool (*GhosttyTerminalSizeFn)(GhosttyTerminal, void*, GhosttySizeReportSize*);
typedef GhosttyString (*GhosttyTerminalXtversionFn)(GhosttyTerminal, void*);
typedef void (*GhosttyTerminalClipboardWriteFn)(GhosttyTerminal, void*, const GhosttyClipboardWrite*);

int ghostty_build_info(int, void*);
void ghostty_free(const void*, uint8_t*, size_t);
int ghostty_terminal_new(const void*, GhosttyTerminal*, uint16_t cols, uint16_t rows);
void ghostty_terminal_free(GhosttyTerminal);
int ghostty_terminal_resize(GhosttyTerminal, uint16_t cols, uint16_t rows, uint32_t cell_width, uint32_t cell_height);
int ghostty_terminal_set(GhosttyTerminal, int, const void*);
int ghostty_terminal_get(GhosttyTerminal, int, void*);
void ghostty_terminal_vt_write(GhosttyTerminal, const uint8_t*, size_t);
int ghostty_terminal_continuation_alloc(GhosttyTerminal, const void*, uint8_t**, size_t*);
int ghostty_terminal_compress(GhosttyTerminal, int, int*);
int ghostty_terminal_grid_ref(GhosttyTerminal, GhosttyPoint, GhosttyGridRef*);
int ghostty_grid_ref_cell(const GhosttyGridRef*, uint64_t*);
int ghostty_cell_get(uint64_t, int, void*);
int ghostty_snapshot_encode(GhosttyTerminal, GhosttyWriter);
int ghostty_formatter_terminal_new(const void*, GhosttyFormatter*, GhosttyTerminal, GhosttyFormatterTerminalOptions);
int ghostty_formatter_format_alloc(GhosttyFormatter, const void*, uint8_t**, size_t*);
void ghostty_formatter_free(GhosttyFormatter);
int ghostty_key_event_new(const void*, GhosttyKeyEvent*);
void ghostty_key_event_free(GhosttyKeyEvent);
void ghostty_key_event_set_action(GhosttyKeyEvent, int);
void ghostty_key_event_set_key(GhosttyKeyEvent, int);
void ghostty_key_event_set_mods(GhosttyKeyEvent, uint16_t);
void ghostty_key_event_set_consumed_mods(GhosttyKeyEvent, uint16_t);
void ghostty_key_event_set_utf8(GhosttyKeyEvent, const char*, size_t);
void ghostty_key_event_set_unshifted_codepoint(GhosttyKeyEvent, uint32_t);
int ghostty_key_encoder_new(const void*, GhosttyKeyEncoder*);
void ghostty_key_encoder_free(GhosttyKeyEncoder);
void ghostty_key_encoder_setopt_from_terminal(GhosttyKeyEncoder, GhosttyTerminal);
int ghostty_key_encoder_encode(GhosttyKeyEncoder, GhosttyKeyEvent, char*, size_t, size_t*);
uint8_t ghostty_unicode_codepoint_width(uint32_t);
"""


def build(target: Path) -> None:
    """Write the module that holds the parsed declarations to `target`."""
    ffi = FFI()
    ffi.set_source("attn.terminal._ghostty_abi", None)
    ffi.cdef(DECLARATIONS)
    ffi.emit_python_code(str(target))


if __name__ == "__main__":
    build(TARGET)
