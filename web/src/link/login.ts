const FRAGMENT = "#login="

/**
 * Spends the one-time nonce of a `#login=` address on a cookie and takes it out of the address.
 * Returns what went wrong, or null; a page without a nonce relies on the cookie it may have.
 */
export async function login(): Promise<string | null> {
  if (!location.hash.startsWith(FRAGMENT)) return null
  const nonce = decodeURIComponent(location.hash.slice(FRAGMENT.length))
  history.replaceState(null, "", location.pathname + location.search)
  try {
    const answer = await fetch("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Attn": "1" },
      body: JSON.stringify({ nonce }),
    })
    if (answer.ok) return null
    return answer.status === 429
      ? "Too many attempts to log in; wait a minute."
      : "This login address was used already, or is too old."
  } catch {
    return "attn did not answer the login."
  }
}
