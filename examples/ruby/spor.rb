# Orders to Spor, with an outbox of files. Ruby 2.7 or newer, standard library only.
#
# ruby spor.rb add ORDER_ID PRODUCT_ID QUANTITY UNIT_PRICE    when the order is stored
# ruby spor.rb send                                           from cron or a worker, each minute
require 'fileutils'
require 'json'
require 'net/http'
require 'securerandom'
require 'time'

BATCH, ATTEMPTS, LONGEST_WAIT = 100, 8, 60
OUTBOX = ENV.fetch('SPOR_OUTBOX')
FileUtils.mkdir_p("#{OUTBOX}/rejected")

def add(order_id, product_id, quantity, unit_price)
  total = (quantity.to_r * unit_price.to_r).round(2).to_f # exact fractions: never add or multiply floats
  random = SecureRandom.hex(9)
  hex = format('%012x7%s8%s', (Time.now.to_f * 1000).to_i, random[0, 3], random[3..])
  id = [hex[0, 8], hex[8, 4], hex[12, 4], hex[16, 4], hex[20, 12]].join('-') # UUID 7: made once, kept on every resend
  event = { eventId: id, type: 'OrderCreated', timestamp: Time.now.utc.iso8601(3), anonymousId: 'a-1', orderId: order_id,
            currency: 'DKK', total: total,
            lines: [{ productId: product_id, quantity: quantity.to_f, unitPrice: unit_price.to_f }] }
  File.open("#{OUTBOX}/#{id}.new", 'w') { |file| file.write(JSON.generate(event)); file.fsync }
  File.rename("#{OUTBOX}/#{id}.new", "#{OUTBOX}/#{id}.json") # a reader never sees half a file
end

def read(text)
  parsed = JSON.parse(text)
  parsed.is_a?(Hash) ? parsed : {}
rescue JSON::ParserError
  {}
end

# The status, the answer as JSON ({} if it is not the receiver's) and Retry-After.
def post(events)
  headers = { 'Content-Type' => 'application/json', 'X-Instrumentation-Key' => ENV.fetch('SPOR_KEY') }
  body = %({"sentAt":"#{Time.now.utc.iso8601(3)}","events":[#{events.join(',')}]})
  answer = Net::HTTP.post(URI("#{ENV.fetch('SPOR_URL')}/api/events"), body, headers)
  [answer.code.to_i, read(answer.body), answer['Retry-After'].to_f]
rescue SystemCallError, IOError, SocketError, Timeout::Error, Net::ProtocolError
  [0, {}, 0]
end

def send_all
  most, failures = BATCH, 0
  until (files = Dir["#{OUTBOX}/*.json"].sort.first(most)).empty?
    status, answer, wait = post(files.map { |file| File.read(file) })
    if answer['receiptId'] || answer['code'] == 'no_valid_event' # the receiver's word about each event
      answer['rejected'].each do |verdict|
        file = files[verdict['index']]
        File.write("#{OUTBOX}/rejected/#{File.basename(file)}.verdict", JSON.generate(verdict))
        FileUtils.mv(file, "#{OUTBOX}/rejected/")
      end
      FileUtils.rm_f(files)
      most, failures = BATCH, 0
    elsif status == 413 && answer['code'] && most > 1
      most = [files.size / 2, 1].max
    elsif answer['code'] && status < 500 && status != 429
      abort "#{status} #{answer['code']}: #{answer['message']}" # a person must act; the outbox keeps all
    else # 429, 500, 503, no answer, or a proxy's 502, 504 or page: send the same events again
      abort 'Spor does not answer; the next run goes on' if (failures += 1) == ATTEMPTS
      sleep [wait, rand * [LONGEST_WAIT, 0.5 * 2**failures].min].max
    end
  end
end

ARGV[0] == 'add' ? add(*ARGV[1..]) : send_all
