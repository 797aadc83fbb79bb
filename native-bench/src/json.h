// The little JSON that a load generator needs: quoting, and finding values without decoding.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/** Quotes and escapes text (UTF-8) as a JSON string. */
std::string jsonQuote(std::string_view text);

/**
 * Cuts the first elements of a JSON array out of `text`, each as its raw JSON.
 *
 * @param elements filled in order; the array must have at least as many
 * @returns false where `text` is no array of that many elements
 */
bool jsonElements(std::string_view text, std::span<std::string_view> elements);

/** The elements of a JSON array, each as its raw JSON; nothing where `text` is no array. */
std::optional<std::vector<std::string_view>> jsonArray(std::string_view text);

/** Raw JSON of a member of an object, or nothing where it has none (or is no object). */
std::optional<std::string_view> jsonMember(std::string_view object, std::string_view name);

/** The inside of a raw JSON string, escapes left as they are; nothing for another kind. */
std::optional<std::string_view> jsonStringBody(std::string_view raw);

/** What a raw JSON string means, in UTF-8; nothing for another kind, or a broken escape. */
std::optional<std::string> jsonUnquote(std::string_view raw);

/** A raw JSON number without sign, fraction or exponent; nothing for anything else. */
std::optional<std::uint64_t> jsonUnsigned(std::string_view raw);

}  // namespace bench
