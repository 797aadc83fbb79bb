/**
 * A session of an application on Plug, in literal bytes: a signed cookie and a matching CSRF token.
 *
 * Runs on: the test's thread.
 */

/** The application's secret, and the salt with which it signs its sessions. */
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
