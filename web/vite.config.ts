import { execFileSync } from "node:child_process"
import { defineConfig, type Plugin } from "vite"

const OUT = "../src/attn/daemon/page"

/** The name of this build: what tools/web_hash.py says about the sources. */
function sourceHash(): string {
  const python = process.env.ATTN_PYTHON ?? "python3"
  return execFileSync(python, ["../tools/web_hash.py"], { encoding: "utf8" }).trim()
}

/** Writes build.json beside index.html, for the daemon's `page_build` and for the packaging hook. */
function buildRecord(build: string): Plugin {
  return {
    name: "build-record",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "build.json", source: `${JSON.stringify({ build })}\n` })
    },
  }
}

export default defineConfig(({ command }) => {
  const build = command === "build" ? sourceHash() : "development"
  return {
    base: "/",
    define: { __BUILD__: JSON.stringify(build) },
    build: {
      outDir: OUT,
      emptyOutDir: true,
      target: "es2022",
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: 900,
    },
    plugins: [buildRecord(build)],
    test: { include: ["src/**/*.test.ts"] },
  }
})
