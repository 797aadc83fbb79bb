/** What takes its time, somewhere else. */
export async function makeReport(topic: string): Promise<{ report: string }> {
  return Promise.resolve({ report: `of ${topic}` });
}
