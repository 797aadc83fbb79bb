/**
 * A session as an application on Plug keeps it, in literal bytes: a signed cookie, and a CSRF token for it.
 *
 * Runs on: the test's thread.
 */

/** Secret of the application, and what it signs its sessions with. */
export const PLUG_SECRET = "abcdefgh".repeat(8);
export const PLUG_SALT = "Wg3OZbC1";
export const PLUG_COOKIE_NAME = "_chat_key";

/** `%{"_csrf_token" => state, "user_id" => 7}`, signed. */
export const PLUG_COOKIE =
  "SFMyNTY.g3QAAAACbQAAAAtfY3NyZl90b2tlbm0AAAAYQUFFQ0F3UUZCZ2NJQ1FvTERBME9EeEFSbQAAAAd1c2VyX2lkYQc" +
  ".SuGxCECTbHDxaFpKz0BBKCHv1PJtJLhslMDAkupu1o8";
export const PLUG_STATE = "AAECAwQFBgcICQoLDA0ODxAR";
export const PLUG_SESSION = { _csrf_token: PLUG_STATE, user_id: 7 };

/** The state, masked with the 24 letters at the end. */
export const PLUG_CSRF_TOKEN = "AAMGBwQxFg4LLSgFDh8gHBUTYxsRLhYKABCDEFGHIJKLMNOPQRSTUVWX";
