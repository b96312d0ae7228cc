/**
 * A question about a shop, as SQL for one tenant.
 *
 * The answers of several tenants are shown below each other.
 */
export interface Question {
  title: string;
  sql: string;
}

/** The demo's three questions. */
export const QUESTIONS: readonly Question[] = [
  {
    title: 'What do people search for, and do they click?',
    sql: `select phrase, count(*) as searches, count(clicked.search_id) as clicked,
  printf('%.0f %%', 100 * count(clicked.search_id) / count(*)) as click_through
from searches left join (select distinct search_id from product_clicks) as clicked using (search_id)
group by phrase order by searches desc, phrase limit 5`,
  },
  {
    title: 'What do the shops earn?',
    sql: `with back as (select currency, sum(amount) as amount from refunds group by currency)
select count(*) as orders, sum(total)::decimal(18, 2) as revenue,
  (sum(total) - coalesce(any_value(back.amount), 0))::decimal(18, 2) as net_revenue,
  (sum(total) / count(*))::decimal(18, 2) as average_order, currency
from orders left join back using (currency) group by currency order by currency`,
  },
  {
    title: 'Which products go into the cart most?',
    sql: `select product_id, sum(quantity)::bigint as added, count(distinct session_id) as visits
from cart_adds group by product_id order by added desc, product_id limit 5`,
  },
];
