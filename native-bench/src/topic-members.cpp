#include "topic-members.h"

#include "zipf.h"

namespace bench {

TopicMembers::TopicMembers(const Options& options)
    : readers_(dealByZipf(options.connections - options.slow - options.deaf, options.topics,
                          options.skew)),
      slow_(options.slow / options.topics) {
  const std::uint64_t deaf = options.deaf / options.topics;
  for (std::size_t topic = 0; topic < options.topics; ++topic) {
    first_.push_back(topics_.size());
    topics_.insert(topics_.end(), readers_[topic] + slow_ + deaf, static_cast<std::uint32_t>(topic));
  }
}

Hearing TopicMembers::hearingOf(std::size_t connection) const {
  const std::size_t topic = topicOf(connection);
  const std::size_t place = connection - first_[topic];
  if (place < readers_[topic]) return Hearing::good;
  return place < readers_[topic] + slow_ ? Hearing::slow : Hearing::deaf;
}

}  // namespace bench
