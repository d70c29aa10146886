"""Made-up exports of brokers, one for each kind, in the shapes that their people see."""

# ruff: noqa: E501 - lines as brokers print them

FLEX_XML = """<?xml version="1.0" encoding="UTF-8"?>
<FlexQueryResponse queryName="everything" type="AF">
<FlexStatements count="2">
<FlexStatement accountId="U0000001" fromDate="20250101" toDate="20250131" period="LastMonth" whenGenerated="20250201;101010">
<AccountInformation accountId="U0000001" currency="USD" name="Nobody" />
<Trades>
<Trade accountId="U0000001" currency="USD" assetCategory="STK" symbol="UBER" description="EXAMPLE" multiplier="1" tradeID="1" transactionID="101" ibExecID="0001.01" dateTime="20250115;125517" tradeDate="20250115" transactionType="ExchTrade" buySell="BUY" quantity="100" tradePrice="60.805" proceeds="-6080.5" ibCommission="-1" ibCommissionCurrency="USD" taxes="0" cost="6081.5" fifoPnlRealized="0" mtmPnl="19.5" closePrice="61" openCloseIndicator="O" notes="P" levelOfDetail="EXECUTION" />
<Trade accountId="U0000001" currency="USD" assetCategory="STK" symbol="UBER" description="EXAMPLE" multiplier="1" tradeID="2" transactionID="102" ibExecID="0002.01" dateTime="2025-01-20;12:55:17 EST" tradeDate="20250120" transactionType="ExchTrade" buySell="SELL" quantity="-100" tradePrice="70" proceeds="7000" ibCommission="-1.02" ibCommissionCurrency="USD" taxes="0" cost="-6081.5" fifoPnlRealized="917.48" mtmPnl="0" closePrice="70" openCloseIndicator="C" notes="" levelOfDetail="EXECUTION" />
<Trade accountId="U0000001" currency="USD" assetCategory="STK" symbol="PYPL" description="EXAMPLE" multiplier="1" tradeID="3" transactionID="103" ibExecID="0003.01" dateTime="20250121;100000" transactionType="ExchTrade" buySell="BUY" quantity="10" tradePrice="80" proceeds="-800" ibCommission="-1" ibCommissionCurrency="USD" cost="801" fifoPnlRealized="0" levelOfDetail="EXECUTION" />
<Trade accountId="U0000001" currency="USD" assetCategory="STK" symbol="PYPL" description="EXAMPLE" multiplier="1" tradeID="3" transactionID="104" ibExecID="0003.01" origTransactionID="103" dateTime="20250121;100000" transactionType="TradeCancel" buySell="BUY (Ca.)" quantity="-10" tradePrice="80" proceeds="800" ibCommission="0" ibCommissionCurrency="USD" cost="-800" fifoPnlRealized="0" notes="Ca" levelOfDetail="EXECUTION" />
<Trade accountId="U0000001" currency="USD" assetCategory="STK" symbol="PYPL" description="EXAMPLE" multiplier="1" tradeID="3" transactionID="105" ibExecID="0003.01" dateTime="20250121;100000" transactionType="ExchTrade" buySell="BUY" quantity="10" tradePrice="81" proceeds="-810" ibCommission="-1" ibCommissionCurrency="USD" cost="811" fifoPnlRealized="0" levelOfDetail="EXECUTION" />
<Order accountId="U0000001" currency="USD" assetCategory="STK" symbol="UBER" multiplier="1" dateTime="20250115;125517" buySell="BUY" quantity="100" tradePrice="60.805" proceeds="-6080.5" ibCommission="-1" ibCommissionCurrency="USD" levelOfDetail="ORDER" />
<Order accountId="U0000001" currency="USD" assetCategory="STK" symbol="UBER" multiplier="1" dateTime="20250120;125517" buySell="SELL" quantity="-100" tradePrice="70" proceeds="7000" ibCommission="-1.02" ibCommissionCurrency="USD" levelOfDetail="ORDER" />
<Lot accountId="U0000001" currency="USD" assetCategory="STK" symbol="UBER" quantity="100" cost="6081.5" levelOfDetail="CLOSED_LOT" />
</Trades>
<CashTransactions>
<CashTransaction accountId="U0000001" currency="USD" symbol="F" description="F(US3453708600) CASH DIVIDEND USD 0.15 PER SHARE (Ordinary Dividend)" dateTime="20250110;202000" settleDate="20250110" amount="15" type="Dividends" transactionID="201" levelOfDetail="DETAIL" />
<CashTransaction accountId="U0000001" currency="USD" symbol="" description="USD CREDIT INT FOR DEC-2024" dateTime="20250103" settleDate="20250103" amount="2.5" type="Broker Interest Received" transactionID="202" levelOfDetail="DETAIL" />
<CashTransaction accountId="U0000001" currency="USD" symbol="" description="SUM" dateTime="" settleDate="" amount="17.5" type="Dividends" transactionID="" levelOfDetail="SUMMARY" />
</CashTransactions>
<CorporateActions>
<CorporateAction accountId="U0000001" currency="CAD" assetCategory="STK" symbol="GCM.OLD" actionDescription="GCM(CA0000000001) SPLIT 1 FOR 25 (GCM.OLD, EXAMPLE, CA0000000001)" dateTime="20250107;202500" reportDate="20250108" quantity="-12000" proceeds="0" transactionID="301" />
<CorporateAction accountId="U0000001" currency="CAD" assetCategory="STK" symbol="GCM" actionDescription="GCM(CA0000000001) SPLIT 1 FOR 25 (GCM, EXAMPLE, CA0000000002)" dateTime="20250107;202500" reportDate="20250108" quantity="480" proceeds="0" transactionID="302" />
</CorporateActions>
<Transfers>
<Transfer accountId="U0000001" currency="USD" assetCategory="STK" symbol="AAPL" date="20250102" dateTime="20250102;000000" type="ACATS" direction="IN" quantity="50" cashTransfer="0" transactionID="401" />
</Transfers>
<OpenPositions>
<OpenPosition accountId="U0000001" currency="USD" assetCategory="STK" symbol="PYPL" multiplier="1" position="10" markPrice="82" positionValue="820" costBasisPrice="81.1" costBasisMoney="811" fifoPnlUnrealized="9" levelOfDetail="SUMMARY" />
<OpenPosition accountId="U0000001" currency="USD" assetCategory="STK" symbol="AAPL" multiplier="1" position="50" markPrice="200" positionValue="10000" levelOfDetail="SUMMARY" />
</OpenPositions>
</FlexStatement>
<FlexStatement accountId="U0000002" fromDate="20250101" toDate="20250131" period="LastMonth" whenGenerated="20250201;101010">
<CashTransactions>
<CashTransaction accountId="U0000002" currency="USD" symbol="" description="CASH RECEIPTS" dateTime="20250106" settleDate="20250106" amount="-250" type="Deposits/Withdrawals" transactionID="203" levelOfDetail="DETAIL" />
</CashTransactions>
</FlexStatement>
</FlexStatements>
</FlexQueryResponse>
"""

FLEX_CSV = """"ClientAccountID","CurrencyPrimary","AssetClass","Symbol","Description","TradeID","TransactionID","DateTime","Buy/Sell","Quantity","TradePrice","Proceeds","IBCommission","IBCommissionCurrency","Taxes","CostBasis","FifoPnlRealized","MtmPnl","ClosePrice","Multiplier","Notes/Codes","LevelOfDetail"
"U0000001","USD","STK","UBER","EXAMPLE","1","101","20250115;125517","BUY","100","60.805","-6080.5","-1","USD","0","6081.5","0","19.5","61","1","","EXECUTION"
"U0000001","USD","STK","UBER","EXAMPLE","2","102","20250130;125517","SELL","-100","70","7000","-1.02","USD","0","-6081.5","917.48","0","70","1","C","EXECUTION"
"U0000001","USD","OPT","SPY   250221C00600000","EXAMPLE","3","103","20250116;100000","SELL","-2","1.5","300","-1.4","USD","0","-298.6","0","0","1.5","100","O","EXECUTION"
"U0000001","USD","STK","UBER","EXAMPLE","","","20250130;125517","SELL","100","0","","","","","6081.5","917.48","","","1","","CLOSED_LOT"
"ClientAccountID","CurrencyPrimary","Symbol","Description","SettleDate","Amount","Type","TransactionID","LevelOfDetail"
"U0000001","USD","F","F CASH DIVIDEND","20250110","15","Dividends","201","DETAIL"
"U0000001","USD","","USD CREDIT INT","20250103","2.5","Broker Interest Received","202","DETAIL"
"""

TRANSACTIONS = """Statement,Header,Field Name,Field Value
Statement,Data,Title,Transaction History
Statement,Data,Period,"January 1, 2025 - December 31, 2025"
Summary,Header,Field Name,Field Value
Summary,Data,Base Currency,USD
Summary,Data,Starting Cash,100.0
Summary,Data,Change,1016.85
Summary,Data,Ending Cash,1116.85
Transaction History,Header,Date,Account,Description,Transaction Type,Symbol,Quantity,Price,Gross Amount ,Commission,Net Amount
Transaction History,Data,2025-11-03,U***00001,VT(US9220427424) Cash Dividend USD 0.50 per Share,Dividend,VT,-,-,20.0,-,20.0
Transaction History,Data,2025-11-03,U***00001,VT(US9220427424) Cash Dividend - US Tax,Foreign Tax Withholding,VT,-,-,-3.0,-,-3.0
Transaction History,Data,2025-10-01,U***00001,Net Amount in Base from Forex Trade: 0.8 GBP.USD,Forex Trade Component,GBP.USD,0.8,1.32,-1.5E-1,-,-1.5E-1
Transaction History,Data,2025-08-15,U***00001,EXAMPLE FUND,Sell,CNX1,-2.0,1001.00,2002.0,-1.0,2001.0
Transaction History,Data,2025-03-15,U***00001,EXAMPLE FUND,Buy,CNX1,1.0,1000.0,-1000.0,-1.0,-1001.0
"""

_TASTY_HEADER = "Date,Type,Sub Type,Action,Symbol,Instrument Type,Description,Value,Quantity,Average Price,Commissions,Fees,Multiplier,Root Symbol,Underlying Symbol,Expiration Date,Strike Price,Call or Put,Order #,Currency\n"

TASTY_NEWER = (
    _TASTY_HEADER
    + """2024-08-16T23:00:00+0200,Money Movement,Credit Interest,,,,INTEREST ON CREDIT BALANCE,0.03,0,,--,0.00,,,,,,,,USD
2024-08-16T22:00:00+0200,Receive Deliver,Expiration,,PLTR  240816P00026000,Equity Option,Removal of option due to expiration,0.00,1,0.00,--,0.00,100,PLTR,PLTR,8/16/24,26,PUT,,USD
2024-08-05T23:00:00+0200,Receive Deliver,Buy to Open,BUY_TO_OPEN,SCHG,Equity,Buy to Open 100 SCHG @ 103.00,"-10,300.00",100,-103.00,--,-5.00,,,,,,,,USD
2024-08-05T23:00:00+0200,Receive Deliver,Assignment,,SCHG  240816P00103000,Equity Option,Removal of option due to assignment,0.00,1,0.00,--,0.00,100,SCHG,SCHG,8/16/24,103,PUT,,USD
2024-07-19T20:22:12+0200,Trade,Sell to Open,SELL_TO_OPEN,PLTR  240816P00026000,Equity Option,Sold 1 PLTR 08/16/24 Put 26.00 @ 2.46,246.00,1,246.00,-1.00,-0.15,100,PLTR,PLTR,8/16/24,26,PUT,332740689,USD
2024-07-19T19:22:58+0200,Trade,Sell to Open,SELL_TO_OPEN,SCHG  240816P00103000,Equity Option,Sold 1 SCHG 08/16/24 Put 103.00 @ 3.50,350.00,1,350.00,-1.00,-0.14,100,SCHG,SCHG,8/16/24,103,PUT,332740688,USD
2024-07-08T23:00:00+0200,Money Movement,Dividend,,PULS,Equity,EXAMPLE TRUST,-5.72,0,,--,0.00,,,,,,,,USD
2024-07-08T23:00:00+0200,Money Movement,Dividend,,PULS,Equity,EXAMPLE TRUST,38.12,0,,--,0.00,,,,,,,,USD
"""
)

TASTY_OLDER = (
    _TASTY_HEADER
    + """2024-07-19T20:22:00+0000,Trade,Sell to Open,SELL_TO_OPEN,PLTR  240816P00026000,Equity Option,Sold 1 PLTR 08/16/24 Put 26.00 @ 2.46,246,1,246.0,-1.00,0.1519999999999999,100,PLTR,PLTR,8/16/24,26,PUT,123456,USD
2024-04-29T12:35:00+0000,Receive Deliver,Reverse Split,BUY_TO_OPEN,WKHS,Equity,Reverse split: Open 20 WKHS,-1100,20,,0,0.00,,WKHS,WKHS,,,,123456,USD
2024-04-29T12:35:00+0000,Receive Deliver,Reverse Split,SELL_TO_CLOSE,WKHS,Equity,Reverse split: Close 400 WKHS,1100,400,,0,0.00,,WKHS,WKHS,,,,123456,USD
2024-04-01T12:35:00+0000,Receive Deliver,Expiration,,EWG  240401P00018000,Equity Option,Removal of option due to expiration,0,3,,0,0.00,100,EWG,EWG,4/1/24,18,PUT,123456,USD
"""
)

ETRADE_V2 = """For Account:,####3525

TransactionDate,TransactionType,SecurityType,Symbol,Quantity,Amount,Price,Commission,Description
06/12/24,Bought,EQ,VTI,10,-2605.95,260,5.95,EXAMPLE TOTAL STOCK
06/20/24,Sold,EQ,VTI,-4,1074.05,270,5.95,EXAMPLE TOTAL STOCK
06/25/24,Dividend,EQ,VTI,0,8.55,0,0,EXAMPLE TOTAL STOCK
06/25/24,Dividend,EQ,VTI,0.0325,-8.55,0,0,EXAMPLE TOTAL STOCK REIN @ 263.0769
06/28/24,Interest,UNKNOWN, ,0,0.07,0,0,EXTENDED INSURANCE SWEEP
07/01/24,Online Transfer,UNKNOWN, ,0,-500,0,0,TRANSFER TO ANOTHER BANK
"""

ETRADE_V3 = """For Account:,####3525

Activity/Trade Date,Transaction Date,Settlement Date,Activity Type,Description,Symbol,Cusip,Quantity #,Price $,Amount $,Commission,Category,Note
06/12/25,06/12/25,06/13/25,Bought,EXAMPLE TOTAL STOCK,VTI,--,10,260,-2600,0,--,--
06/25/25,06/25/25,06/25/25,Qualified Dividend,EXAMPLE TOTAL STOCK,VTI,--,0,0,8.55,0,--,--
07/16/25,07/18/25,07/18/25,Option Expired,PUT EXAMPLE,SPY,--,-1,0,0,0,--,--
"""

COINBASE_FILLS = """portfolio,trade id,product,side,created at,size,size unit,price,fee,total,price/fee/total unit
default,5001,BTC-USD,SELL,2024-03-01T10:00:00.123Z,0.75789,BTC,19295,51.182206425,14572.305343575,USD
default,5002,BAT-ETH,BUY,2024-03-02T10:00:00.000Z,100,BAT,0.001,0.0005,-0.1005,ETH
"""

COINBASE_RETAIL = """Transactions
User,Nobody,00000000-0000-0000-0000-000000000000
ID,Timestamp,Transaction Type,Asset,Quantity Transacted,Price Currency,Price at Transaction,Subtotal,Total (inclusive of fees and/or spread),Fees and/or Spread,Notes
a1,2025-01-17 16:57:02 UTC,Staking Income,ETH,0.000037835729,EUR,€3343.11229989,€0.12649,€0.12649,€0.00,
a2,2025-01-07 19:26:56 UTC,Send,ETH2,-0.180914809326,EUR,€3302.6508979077133026,-€597.49846,-€597.49846,€0.00,Sent 0.180914809326 ETH2s
a3,2024-12-05 06:33:40 UTC,Convert,BTC,0.00363125,EUR,€96847.405873901104437015,€338.92698,€351.66322,,Converted 0.00363125 BTC to 156.145683 XRP
a4,2022-03-25 06:45:27 UTC,Buy,BTC,0.00166779,EUR,€39999.331136545,€67.01,€70.00,€2.99,Bought 0.00166779 BTC for 70 EUR
"""

COINBASE_OLDER = """"You can use this report"

Timestamp,Transaction Type,Asset,Quantity Transacted,Spot Price Currency,Spot Price at Transaction,Subtotal,Total (inclusive of fees),Fees,Notes
2021-05-01T10:00:00Z,Sell,BTC,0.5,USD,50000.00,"25,000.00","24,900.00",100.00,Sold 0.5 BTC
"""

ALPACA = """[
{"activity_type": "FILL", "id": "20240301::1", "transaction_time": "2024-03-01T15:30:00.123456789Z", "type": "fill", "price": "100.5", "qty": "10", "side": "buy", "symbol": "ABC", "leaves_qty": "0", "order_id": "o-1", "cum_qty": "10"},
{"activity_type": "FILL", "id": "20240302::1", "transaction_time": "2024-03-02T15:30:00Z", "type": "fill", "price": 1.25, "qty": 2, "side": "sell_short", "symbol": "ABC240419C00100000", "order_id": "o-2"},
{"activity_type": "DIV", "id": "20240315::1", "date": "2024-03-15", "net_amount": "4.2", "symbol": "ABC", "qty": "10", "per_share_amount": "0.42"},
{"activity_type": "CSW", "id": "20240316::1", "date": "2024-03-16", "net_amount": "-50", "description": "to the bank"},
{"activity_type": "OPEXP", "id": "20240420::1", "date": "2024-04-20", "net_amount": "0", "symbol": "ABC240419C00100000", "qty": "2", "price": "0"}
]
"""

GENERIC = """date,kind,currency,id,account,symbol,quantity,price,amount,fee,basis,acquired,text,multiplier
2024-03-01,trade,USD,t1,mine,ABC,10,100,,1,,,bought,
2024-03-05,trade,USD,,mine,ABC 19APR24 100 C,-1,2.5,250,0.65,,,sold,100
2024-03-05,dividend,USD,,mine,ABC,,,5,,,,,
2024-03-06,transfer,USD,,mine,XYZ,5,,,,450,2020-01-02,from elsewhere,
"""
